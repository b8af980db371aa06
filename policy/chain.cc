#include "policy/chain.h"

#include <array>

namespace relais::policy {
namespace {

using Whom = Check::Whom;

bool verifies(const Facts& facts) {
    return facts.dns != nullptr && facts.settings.checks.wanted();
}

// The order: what a name on a list decides, then the right to relay, so that nobody who has none costs a
// question, then what asks others.
constexpr std::array<Check, 8> chain = {{
    {"badmailfrom", Stage::mail, Whom::all, true, nullptr, check_badmailfrom},
    {"senderlogins", Stage::mail, Whom::all, false, nullptr, check_senderlogins},
    {"localsenders", Stage::mail, Whom::all, true, nullptr, check_localsenders},
    {"rcpthosts", Stage::rcpt, Whom::all, false, nullptr, check_right},
    {"length", Stage::rcpt, Whom::all, false, nullptr, check_length},
    {"recipientcheck", Stage::rcpt, Whom::all, true, nullptr, check_recipientcheck},
    {"spfbehavior", Stage::mail, Whom::strangers, false, verifies, check_spf},
    {"dmarc", Stage::end_of_data, Whom::all, false, verifies, check_dmarc},
}};

void add_words(std::string& text, std::string_view words) {
    if (words.empty()) return;
    if (!text.empty()) text += "; ";
    text += words;
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
    stranger_known_ = false;
}

void Chain::heard_helo(std::optional<std::string_view> name) {
    facts_.helo = name;
    facts_.begin_transaction("");
}

Verdict Chain::judge(std::string_view recipient) {
    facts_.recipient = facts_.policy.with_local_name(recipient, facts_.client);
    facts_.queued = facts_.recipient;
    facts_.decision = {};
    Verdict verdict = run(Stage::connect, Stage::rcpt);
    verdict.recipient = facts_.queued;
    verdict.decision = facts_.decision;
    return verdict;
}

Verdict Chain::judge_message() {
    return run(Stage::data, Stage::end_of_data);
}

Verdict Chain::run(Stage first, Stage last) {
    Verdict verdict;
    const bool to_postmaster = last == Stage::rcpt && facts_.policy.is_our_postmaster(facts_.recipient);
    for (const Check& check : chain) {
        if (check.stage < first || check.stage > last) continue;
        if (check.active != nullptr && !check.active(facts_)) continue;
        if (check.whom == Whom::strangers && !facts_.is_stranger()) continue;
        if (check.spares_postmaster && to_postmaster) continue;
        Result result = check.judge(facts_);
        add_words(verdict.suspicion, result.suspicion);
        if (result.answer == Answer::pass || result.answer == Answer::tag) continue;
        verdict.answer = result.answer;
        verdict.cause = result.cause;
        verdict.check = check.name;
        verdict.reply = std::move(result.reply);
        verdict.why = std::move(result.why);
        break;
    }
    return verdict;
}

std::string one_line(std::string_view text) {
    std::string result(text.substr(0, 500));
    for (char& c : result)
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
    return result;
}

}  // namespace relais::policy
