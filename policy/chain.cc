#include "policy/chain.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace relais::policy {
namespace {

using Whom = Check::Whom;
using control::CheckMode;

bool verifies(const Facts& facts) {
    return facts.dns != nullptr && facts.settings.checks.wanted();
}

// All questions about one recipient together.
constexpr Seconds dns_patience{10};

bool has_dns(const Facts& facts) {
    return facts.dns != nullptr;
}

// RBLSMTPD is rblsmtpd's alone in an instance that is older than the checks.
bool has_modes(const Facts& facts) {
    return facts.settings.modes.has_file();
}

bool has_lists(const Facts& facts) {
    return facts.dns != nullptr && !facts.settings.block_lists.empty();
}

bool has_subjects(const Facts& facts) {
    return facts.dns != nullptr && facts.subjects != nullptr;
}

bool has_rate_limits(const Facts& facts) {
    return !facts.settings.rate_limits.empty();
}

bool has_bad_helo(const Facts& facts) {
    return !facts.policy.bad_names().helo_names().empty();
}

bool has_bad_strangers(const Facts& facts) {
    return !facts.policy.bad_names().senders_of_strangers().empty();
}

// The order: what a name on a list decides, then the right to relay, so that nobody who has none costs a
// question, then what asks others.
constexpr std::array<Check, 20> chain = {{
    {"earlytalker", Stage::connect, Whom::strangers, true, nullptr, check_earlytalker},
    {"rblsmtpd", Stage::connect, Whom::strangers, true, has_modes, check_rblsmtpd},
    {"badhelo", Stage::helo, Whom::strangers, true, has_bad_helo, check_badhelo},
    {"heloself", Stage::helo, Whom::strangers, true, nullptr, check_heloself},
    {"badmailfrom", Stage::mail, Whom::all, true, nullptr, check_badmailfrom},
    {"badmailfromnorelay", Stage::mail, Whom::strangers, true, has_bad_strangers, check_badmailfromnorelay},
    {"senderlogins", Stage::mail, Whom::all, false, nullptr, check_senderlogins},
    {"localsenders", Stage::mail, Whom::all, true, nullptr, check_localsenders},
    {"badrcptto", Stage::rcpt, Whom::all, true, nullptr, check_badrcptto},
    {"rcpthosts", Stage::rcpt, Whom::all, false, nullptr, check_right},
    {"length", Stage::rcpt, Whom::all, false, nullptr, check_length},
    {"recipientcheck", Stage::rcpt, Whom::all, false, nullptr, check_recipientcheck},
    {"reversedns", Stage::connect, Whom::strangers, true, has_dns, check_reversedns, true},
    {"mfcheck", Stage::mail, Whom::strangers, true, has_dns, check_mfcheck, true},
    {"dnsbl", Stage::mail, Whom::strangers, true, has_lists, check_dnsbl, true},
    {"spfbehavior", Stage::mail, Whom::strangers, false, verifies, check_spf},
    {"greylist", Stage::rcpt, Whom::strangers, true, nullptr, check_greylist},
    {"ratelimits", Stage::rcpt, Whom::all, true, has_rate_limits, check_ratelimits},
    {"dnsbl", Stage::end_of_data, Whom::strangers, true, has_subjects, check_dnsbl_of_message},
    {"dmarc", Stage::end_of_data, Whom::all, false, verifies, check_dmarc},
}};

void add_words(std::string& text, std::string_view words) {
    if (words.empty()) return;
    if (!text.empty()) text += "; ";
    text += words;
}

// "553 sorry (#5.7.1)" as what may be tried again.
void make_deferral(std::string& reply) {
    if (reply.empty() || reply.front() == '4') return;
    reply.replace(0, 3, "450");
    if (const std::size_t status = reply.rfind("(#5."); status != std::string::npos) reply[status + 2] = '4';
}

// For the top of a message; text may be a stranger's.
std::string tag_field(std::string_view check, std::string_view text) {
    std::string value = safe_for_log(text.substr(0, 400));
    std::replace(value.begin(), value.end(), '_', ' ');
    return "X-Relais-Suspect: " + std::string(check) + "; " + value + "\n";
}

}  // namespace

std::span<const Check> checks() {
    return chain;
}

bool Facts::is_stranger() {
    if (client.relayclient || client.certificate || client.user) return false;
    if (!stranger_known_) stranger_known_ = !policy.find_open_smtp(client).live;
    return stranger_known_;
}

void Facts::begin_transaction(std::string_view new_sender) {
    sender = new_sender;
    recipient.clear();
    verification.reset();
    subjects.reset();
    spared = has_recipient = false;
    stranger_known_ = false;
    list_score.reset();
}

void Chain::heard_helo(std::optional<std::string_view> name) {
    facts_.helo = name;
    heard_mail("");
}

void Chain::heard_mail(std::string_view sender) {
    facts_.begin_transaction(sender);
    others_ = false;
    remembered_.clear();
}

Verdict Chain::judge(std::string_view recipient) {
    facts_.recipient = facts_.policy.with_local_name(recipient, facts_.client);
    facts_.queued = facts_.recipient;
    facts_.decision = {};
    facts_.dns_deadline = Deadline::in(dns_patience);
    facts_.spared = facts_.settings.modes.has_file() ? facts_.policy.hears_everybody(facts_.recipient)
                                                     : facts_.policy.is_our_postmaster(facts_.recipient);
    Verdict verdict = run(Stage::connect, Stage::rcpt);
    verdict.recipient = facts_.queued;
    verdict.decision = facts_.decision;
    verdict.notices = std::exchange(facts_.notices, {});
    verdict.held_login = std::exchange(facts_.held_login, {});
    if (!verdict.passes() && verdict.answer == Answer::refuse) count_refused(facts_);
    if (verdict.passes()) facts_.has_recipient = true;
    if (verdict.passes() && !facts_.spared) others_ = true;
    if (verdict.passes() && !facts_.subjects && wants_subjects())
        facts_.subjects = std::make_unique<MessageSubjects>();
    return verdict;
}

// A rule with RBLSMTPD knows the client better.
bool Chain::wants_subjects() {
    const control::KnownCheck* known = control::find_check("dnsbl");
    return facts_.dns != nullptr && facts_.settings.block_lists.look_into_messages() &&
           !facts_.client.rblsmtpd && facts_.settings.modes.of(*known) != CheckMode::off &&
           facts_.is_stranger();
}

Verdict Chain::judge_message() {
    facts_.spared = !others_;
    facts_.dns_deadline = Deadline::in(dns_patience);
    if (facts_.subjects) facts_.subjects->finish();
    Verdict verdict = run(Stage::data, Stage::end_of_data);
    verdict.notices = std::exchange(facts_.notices, {});
    return verdict;
}

Verdict Chain::run(Stage first, Stage last) {
    Verdict verdict;
    for (const Check& check : chain) {
        if (check.stage < first || check.stage > last) continue;
        const control::KnownCheck* known = control::find_check(check.name);
        if (known != nullptr && facts_.settings.modes.of(*known) == CheckMode::off) continue;
        if (check.active != nullptr && !check.active(facts_)) continue;
        if (check.spares_postmaster && facts_.spared) continue;
        if (check.whom == Whom::strangers && !facts_.is_stranger()) continue;
        Result result = ask(check);
        add_words(verdict.suspicion, result.suspicion);
        if (result.answer == Answer::pass) continue;
        if (known != nullptr && passes_in_mode(*known, result, verdict)) continue;
        verdict.answer = result.answer;
        verdict.cause = result.cause;
        verdict.check = check.name;
        verdict.reply = std::move(result.reply);
        verdict.why = std::move(result.why);
        verdict.entry = std::move(result.entry);
        break;
    }
    return verdict;
}

Result Chain::ask(const Check& check) {
    if (!check.once) return check.judge(facts_);
    const auto known = remembered_.find(check.name);
    if (known != remembered_.end()) return known->second;
    return remembered_.emplace(check.name, check.judge(facts_)).first->second;
}

bool Chain::passes_in_mode(const control::KnownCheck& check, Result& result, Verdict& verdict) const {
    const CheckMode mode = facts_.settings.modes.of(check);
    const bool lets_pass = result.unknown ? facts_.settings.modes.passes_unknown(check)
                                          : mode == CheckMode::log || mode == CheckMode::tag;
    if (!lets_pass && result.answer != Answer::tag) {
        if (mode == CheckMode::defer) {
            result.answer = Answer::defer;
            make_deferral(result.reply);
        }
        return false;
    }
    add_words(verdict.suspicion, result.why + " (" + std::string(check.name) + ")");
    if (mode != CheckMode::log && !result.unknown)
        verdict.fields.push_back(tag_field(check.name, result.why));
    return true;
}

std::string one_line(std::string_view text) {
    std::string result(text.substr(0, 500));
    for (char& c : result)
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
    return result;
}

}  // namespace relais::policy
