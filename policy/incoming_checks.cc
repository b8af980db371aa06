#include "policy/incoming_checks.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "control/setting.h"

namespace relais::policy {
namespace {

// All questions to DNS at the end of a message together, and SPF's alone before it.
constexpr Seconds check_patience{20};

constexpr std::uint64_t refuse_fail = 3;
constexpr std::uint64_t refuse_softfail = 4;
constexpr std::uint64_t refuse_neutral = 5;
constexpr std::uint64_t refuse_all_but_pass = 6;
constexpr std::uint64_t defer_without_dns = 2;

DmarcMode dmarc_mode(std::string_view word) {
    if (equal_ignoring_case(word, "refuse")) return DmarcMode::refuse;
    return equal_ignoring_case(word, "log") ? DmarcMode::log : DmarcMode::off;
}

// The results that a behaviour refuses; each higher one refuses more.
bool is_refused(authres::SpfResult result, std::uint64_t behavior) {
    using authres::SpfResult;
    switch (result) {
        case SpfResult::pass:
        case SpfResult::temperror:
            return false;
        case SpfResult::fail:
            return behavior >= refuse_fail;
        case SpfResult::softfail:
            return behavior >= refuse_softfail;
        case SpfResult::neutral:
            return behavior >= refuse_neutral;
        case SpfResult::none:
        case SpfResult::permerror:
            break;
    }
    return behavior >= refuse_all_but_pass;
}

std::string with_lf(std::string text) {
    std::erase(text, '\r');
    return text;
}

// A word of a field: printable, without what would end it.
std::string field_word(std::string_view text) {
    std::string word(text);
    for (char& c : word)
        if (static_cast<unsigned char>(c) <= 32 || static_cast<unsigned char>(c) >= 127 || c == '"' ||
            c == ';')
            c = '?';
    return word;
}

}  // namespace

CheckSettings CheckSettings::read(const control::Home& home) {
    CheckSettings settings;
    settings.results = control::read<"mailauth">(home) == "on";
    settings.spfbehavior = control::read<"spfbehavior">(home);
    settings.dmarc = dmarc_mode(control::read<"dmarc">(home));
    const auto lines = control::read<"dmarcexempt">(home);
    settings.exempt_networks = opensmtp::NetworkSet(lines);
    settings.exempt_domains = control::DomainSet(settings.exempt_networks.wrong());
    if (!control::read<"keeptrace">(home).empty())
        settings.reports_from = dmarcrpt::reporter_address(control::read<"dmarcreports">(home));
    return settings;
}

IncomingChecks::IncomingChecks(const CheckSettings& settings, authres::Dns& dns, std::string_view server,
                               authres::SpfQuestion question)
    : settings_(settings), dns_(dns), server_(server), question_(std::move(question)) {}

const authres::SpfOutcome& IncomingChecks::spf() {
    if (!spf_) spf_ = authres::check_spf(dns_, question_, Deadline::in(check_patience));
    return *spf_;
}

std::optional<CheckRefusal> IncomingChecks::refuse_sender() {
    using authres::SpfResult;
    const std::uint64_t behavior = settings_.spfbehavior;
    if (behavior < defer_without_dns) return std::nullopt;
    const authres::SpfOutcome& outcome = spf();
    const std::string why =
        fmt::format("spf {} for {}: {}", to_text(outcome.result), outcome.domain, outcome.reason);
    if (outcome.result == SpfResult::temperror)
        return CheckRefusal{"451 unable to look up the SPF record of your sender now (#4.4.3)", why};
    if (!is_refused(outcome.result, behavior)) return std::nullopt;
    const std::string text = outcome.explanation.empty()
                                 ? fmt::format("sorry, SPF says {}: {} may not send from your address",
                                               to_text(outcome.result), outcome.domain)
                                 : outcome.explanation;
    return CheckRefusal{fmt::format("550 {} (#5.7.23)", text.substr(0, 400)), why};
}

std::optional<CheckRefusal> IncomingChecks::finish() {
    verification_.end_message();
    const Deadline deadline = Deadline::in(check_patience);
    verified_ = verification_.finish(
        dns_, question_, deadline, spf_ ? &*spf_ : nullptr,
        settings_.reports_from.empty() ? authres::DmarcExtent::verdict : authres::DmarcExtent::report);
    spf_ = verified_->spf;
    const authres::DmarcOutcome& dmarc = verified_->dmarc;
    if (settings_.dmarc != DmarcMode::refuse || dmarc.result != authres::DmarcResult::fail ||
        dmarc.effective != authres::DmarcPolicy::reject || is_exempt())
        return std::nullopt;
    return CheckRefusal{
        fmt::format(
            "550 sorry, {} asks that mail in its name is refused when neither SPF nor DKIM shows that it is "
            "genuine (#5.7.26)",
            dmarc.from_domain),
        fmt::format("dmarc fail, {}: {}", summary(), dmarc.reason)};
}

bool IncomingChecks::is_exempt() const {
    return settings_.exempt_networks.match(question_.ip) ||
           settings_.exempt_domains.contains(verified_->dmarc.from_domain);
}

std::optional<dmarcrpt::Observation> IncomingChecks::observation(std::span<const std::string> recipients,
                                                                 bool refused) const {
    if (settings_.reports_from.empty() || !verified_ || !verified_->dmarc.record ||
        verified_->dmarc.record->aggregate_reports.empty())
        return std::nullopt;
    if (std::all_of(recipients.begin(), recipients.end(), [this](const std::string& recipient) {
            return equal_ignoring_case(recipient, settings_.reports_from);
        }))
        return std::nullopt;
    return dmarcrpt::observe(*verified_, question_, refused, is_exempt());
}

std::string IncomingChecks::received_spf() {
    const authres::SpfOutcome& outcome = spf();
    return fmt::format("Received-SPF: {} ({}: {})\n client-ip={}; envelope-from=\"{}\"; helo={};\n",
                       to_text(outcome.result), field_word(server_), authres::comment_text(outcome.reason),
                       field_word(question_.ip), field_word(question_.sender), field_word(question_.helo));
}

std::string IncomingChecks::fields() {
    std::string text;
    if (settings_.results) {
        authres::VerifiedMessage known;
        known.spf_checked = true;
        if (!verified_) known.spf = spf();
        auto results = authres::to_results(verified_ ? *verified_ : known, question_, server_);
        // What comes only at the end can stand on top of no message that has gone on.
        if (!verified_) {
            std::erase_if(results.methods, [](const auto& method) { return method.method != "spf"; });
            results.methods.push_back(
                {"dkim", "neutral", "", "the message is too large to be kept until its end"});
        }
        text += with_lf(authres::results_field(results));
    }
    if (settings_.spfbehavior > 0) text += received_spf();
    return text;
}

std::string IncomingChecks::summary() const {
    std::string dkim;
    for (const authres::DkimVerdict& verdict : verified_->dkim.signatures)
        dkim += fmt::format(" dkim={}({})", to_text(verdict.result), field_word(verdict.domain));
    return fmt::format("spf={}({}){} dmarc={}({})", to_text(verified_->spf.result),
                       field_word(verified_->spf.domain), dkim.empty() ? " dkim=none" : dkim,
                       to_text(verified_->dmarc.result), field_word(verified_->dmarc.from_domain));
}

}  // namespace relais::policy
