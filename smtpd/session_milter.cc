// What a session tells the milters, and what it makes of their answers.
#include <fmt/core.h>

#include "base/time.h"
#include "metrics/count.h"
#include "smtpd/milter_sink.h"
#include "smtpd/session.h"

namespace relais::smtpd {
namespace {

using VerdictKind = milter::Verdict::Kind;

std::string why_of(const milter::Verdict& verdict) {
    return verdict.who.empty() ? verdict.why : fmt::format("milter {}: {}", verdict.who, verdict.why);
}

}  // namespace

milter::Facts Session::facts_for_milters() const {
    milter::Facts facts = {{"service", client_.submission ? "submission" : "smtpd"},
                           {"ip", client_.ip},
                           {"port", client_.port.value_or("")},
                           {"host", client_.host.value_or("")},
                           {"helo", helo_.value_or("")},
                           {"local_ip", client_.local_ip},
                           {"local_name", client_.local_name},
                           {"me", settings_.me}};
    if (tls_ == nullptr) return facts;
    const tls::Description& description = tls_->description();
    facts.emplace_back("tls_version", description.version);
    facts.emplace_back("cipher", description.cipher);
    facts.emplace_back("cipher_bits", std::to_string(description.bits));
    facts.emplace_back("cert_subject", description.peer_subject);
    facts.emplace_back("cert_issuer", description.peer_issuer);
    return facts;
}

bool Session::milters_let_pass(std::string_view recipient, std::string_view named,
                               std::string_view parameters) {
    if (milters_ == nullptr) return true;
    const std::string account = client_.user.value_or(client_.certificate.value_or(""));
    const std::string mechanism = client_.user ? (login_mechanism_.empty() ? "XCLIENT" : login_mechanism_)
                                  : client_.certificate ? "EXTERNAL"
                                                        : "";
    if (transaction_->milter_id.empty()) {
        milters_->begin_transaction();
        transaction_->milter_id = std::to_string(now_microseconds());
    }
    const milter::Facts mail = {{"id", transaction_->milter_id},
                                {"sender", transaction_->sender},
                                {"parameters", transaction_->mail_parameters},
                                {"auth", account},
                                {"mechanism", mechanism}};
    const bool exempt = of_controls([&] { return policy_.hears_everybody(named); });
    const milter::Verdict verdict = milters_->recipient(
        facts_for_milters(), mail, {exempt, std::string(recipient), std::string(parameters)});
    if (verdict.kind != VerdictKind::refuse) return true;
    refuse_recipient("milter", verdict.reply, named, why_of(verdict));
    if (verdict.reply.starts_with("421")) closing_ = true;
    return false;
}

bool Session::milters_let_message_pass() {
    if (milters_ == nullptr) return true;
    const milter::Verdict verdict = milters_->end();
    if (verdict.kind == VerdictKind::refuse) {
        refuse("milter", verdict.reply, std::nullopt, why_of(verdict));
        if (verdict.reply.starts_with("421")) closing_ = true;
        return false;
    }
    if (verdict.kind == VerdictKind::discard) {
        // As if it had been taken: so does the filter want it.
        say(fmt::format("250 ok {} qp 0", now_seconds()));
        metrics::count("smtp.refused", "milter");
        log_(refuse_event(speaker(), "milter", transaction_->sender, std::nullopt, "250 ok, and thrown away",
                          why_of(verdict)));
        return false;
    }
    return true;
}

void Session::tell_of_milters(std::uint64_t id) {
    if (milters_ == nullptr) return;
    const milter::Outcome& outcome = milters_->outcome();
    if (outcome.changes.empty()) return;
    log_(milter_event(id, client_.ip, outcome.changes + (outcome.hold ? ": " + outcome.hold_reason : "")));
}

}  // namespace relais::smtpd
