#include "authres/spf.h"

#include "authres/spf_evaluation.h"
#include "base/idna.h"
#include "base/printable.h"
#include "base/text.h"
#include "mail/address.h"
#include "net/socket.h"

namespace relais::authres {

SpfOutcome check_spf(Dns& dns, const SpfQuestion& asked, Deadline deadline) {
    SpfQuestion question = asked;
    SpfOutcome outcome;
    outcome.of_helo = question.sender.empty();
    if (outcome.of_helo) question.sender = "postmaster@" + question.helo;
    const auto parts = mail::split_address(question.sender);
    outcome.domain = without_final_dot(parts.has_domain ? parts.domain : parts.local);
    // RFC 8616, 3.
    outcome.domain = ascii_domain(outcome.domain);
    if (!parts.has_domain || parts.local.empty()) question.sender = "postmaster@" + outcome.domain;
    const auto ip = net::canonical_address(question.ip);
    if (!ip) {
        outcome.reason = "the client has no address";
        return outcome;
    }
    question.ip = *ip;
    // RFC 7208, 4.3.
    if (!is_domain_name(outcome.domain) || outcome.domain.find('.') == std::string::npos) {
        outcome.reason = outcome.domain.empty()
                             ? "no domain to check"
                             : printable(outcome.domain) + " is no domain name of two labels or more";
        return outcome;
    }
    SpfEvaluation evaluation(dns, question, deadline);
    auto verdict = evaluation.check(outcome.domain, false);
    outcome.result = verdict.result;
    outcome.reason = printable(verdict.reason);
    if (outcome.result == SpfResult::fail) outcome.explanation = evaluation.take_explanation();
    outcome.lookups = evaluation.lookups();
    return outcome;
}

}  // namespace relais::authres
