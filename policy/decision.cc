#include "policy/decision.h"

#include "base/text.h"

namespace relais::policy {
namespace {

std::string open_smtp_words(const opensmtp::OpenSmtpFinding* finding) {
    if (finding != nullptr && finding->excluded)
        return "logins from there open nothing (opensmtpexclude " + *finding->excluded + ")";
    if (finding == nullptr || !finding->entry) return "no open-smtp entry";
    if (finding->live) return "open-smtp entry (" + finding->text + ")";
    return "no open-smtp entry (" + finding->text + ")";
}

std::string domain_words(const DomainMatch& match) {
    switch (match.reason) {
        case Reason::no_domain:
            return "the recipient has no domain: it is local";
        case Reason::rcpthosts:
            return match.detail + " in rcpthosts";
        case Reason::morercpthosts:
            return match.detail + " in morercpthosts";
        default:
            return safe_for_log(match.detail) + " is neither in rcpthosts nor in morercpthosts";
    }
}

}  // namespace

std::string_view name_of(Reason reason) {
    switch (reason) {
        case Reason::client_rule:
            return "client_rule";
        case Reason::certificate:
            return "certificate";
        case Reason::authenticated:
            return "authenticated";
        case Reason::open_smtp:
            return "open_smtp";
        case Reason::no_domain:
            return "no_domain";
        case Reason::rcpthosts:
            return "rcpthosts";
        case Reason::morercpthosts:
            return "morercpthosts";
        case Reason::foreign_domain:
            break;
    }
    return "foreign_domain";
}

bool gives_right(Reason reason) {
    return reason == Reason::client_rule || reason == Reason::certificate ||
           reason == Reason::authenticated || reason == Reason::open_smtp;
}

std::optional<Reason> right_to_relay(const Inputs& inputs) {
    if (inputs.relayclient) return Reason::client_rule;
    if (inputs.certificate) return Reason::certificate;
    if (inputs.user) return Reason::authenticated;
    if (inputs.open_smtp != nullptr && inputs.open_smtp->live) return Reason::open_smtp;
    return std::nullopt;
}

bool needs_open_smtp(const Inputs& inputs) {
    return !inputs.relayclient && !inputs.certificate && !inputs.user &&
           inputs.domain.reason == Reason::foreign_domain;
}

Decision decide(const Inputs& inputs) {
    const auto right = right_to_relay(inputs);
    if (right == Reason::client_rule)
        return {true, *right, std::string(*inputs.relayclient), "RELAYCLIENT from the rules"};
    if (right == Reason::certificate)
        return {true, *right, std::string(*inputs.certificate),
                "certificate " + safe_for_log(*inputs.certificate)};
    if (right == Reason::authenticated)
        return {true, *right, std::string(*inputs.user), "authenticated as " + safe_for_log(*inputs.user)};
    if (right == Reason::open_smtp)
        return {true, *right, inputs.open_smtp->entry->user, open_smtp_words(inputs.open_smtp)};
    if (inputs.domain.reason != Reason::foreign_domain)
        return {true, inputs.domain.reason, inputs.domain.detail, domain_words(inputs.domain)};
    return {false, Reason::foreign_domain, inputs.domain.detail,
            "no rule, " + open_smtp_words(inputs.open_smtp) + ", not authenticated"};
}

std::vector<Step> explain(const Inputs& inputs) {
    std::vector<Step> steps;
    const auto add = [&](std::string_view question, bool decided, std::string evidence) {
        steps.push_back({question, decided, std::move(evidence)});
        return decided;
    };
    if (add("rule", inputs.relayclient.has_value(),
            inputs.relayclient ? "RELAYCLIENT=\"" + safe_for_log(*inputs.relayclient) + "\""
                               : "no RELAYCLIENT"))
        return steps;
    if (add("authentication", inputs.user.has_value(),
            inputs.user ? "authenticated as " + safe_for_log(*inputs.user) : "not authenticated"))
        return steps;
    if (add("open-smtp", inputs.open_smtp != nullptr && inputs.open_smtp->live,
            open_smtp_words(inputs.open_smtp)))
        return steps;
    add("domain", true, domain_words(inputs.domain));
    return steps;
}

}  // namespace relais::policy
