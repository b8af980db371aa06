#include "smtpd/verdict.h"

#include "mail/address.h"

namespace relais::smtpd {
namespace {

// A look into a home has a second; the rest is for a machine that has much to do.
constexpr Seconds recipient_patience{5};

Verdict refusal(Cause cause, std::string reply, std::string why = "") {
    Verdict verdict;
    verdict.cause = cause;
    verdict.reply = std::move(reply);
    verdict.why = std::move(why);
    return verdict;
}

// What the sender says, for any recipient but our postmaster.
Verdict judge_sender(Policy& policy, const Client& client, std::string_view sender,
                     std::string_view recipient) {
    if (policy.is_bad_sender(sender) && !policy.is_our_postmaster(recipient))
        return refusal(Cause::bad_sender,
                       "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)");
    Verdict verdict;
    const auto mode =
        client.user ? policy.rejects_login(*client.user, sender) : policy::SenderLogins::Mode::off;
    if (mode == policy::SenderLogins::Mode::enforce)
        return refusal(Cause::foreign_login, "553 sorry, this login may not use that sender (#5.7.1)",
                       "a sender of another (senderlogins)");
    if (mode == policy::SenderLogins::Mode::warn) verdict.suspicion = "a login with a sender of another";
    const LocalSenders suspicion = policy.suspects(client, sender);
    if (suspicion == LocalSenders::off || policy.is_our_postmaster(recipient)) return verdict;
    if (suspicion == LocalSenders::enforce)
        return refusal(Cause::local_sender, "553 sorry, senders of this domain must log in first (#5.7.1)",
                       "a sender of ours from an outsider (localsenders)");
    verdict.suspicion = "a sender of ours from an outsider";
    return verdict;
}

void add_suspicion(Verdict& verdict, std::string_view text) {
    if (!verdict.suspicion.empty()) verdict.suspicion += "; ";
    verdict.suspicion += text;
}

// The open-smtp store is asked last, and decide asks it for recipients elsewhere alone.
bool may_relay(Policy& policy, const Client& client, const policy::Decision& decision) {
    return policy::gives_right(decision.reason) || policy.find_open_smtp(client).live;
}

// Those who may send anywhere hear of an unknown recipient too, or it would bounce to whatever sender they
// gave. While nobody can tell, a stranger keeps the message; from them it is taken, for many of their
// programs try once.
void judge_recipient(Policy& policy, const Client& client, Verdict& verdict) {
    const auto mode = policy.recipient_check(verdict.recipient);
    if (mode == policy::RecipientCheck::Mode::off) return;
    const local::RecipientAnswer answer =
        policy.find_recipient(verdict.recipient, Deadline::in(recipient_patience));
    if (answer == local::RecipientAnswer::unknown) {
        if (mode == policy::RecipientCheck::Mode::log)
            return add_suspicion(verdict, "nobody here gets mail for this recipient (recipientcheck)");
        verdict.cause = Cause::unknown;
        verdict.reply = "550 sorry, no mailbox here by that name (#5.1.1)";
        verdict.why = "nobody here gets mail for it (recipientcheck)";
    } else if (answer == local::RecipientAnswer::not_now) {
        if (mode == policy::RecipientCheck::Mode::log || may_relay(policy, client, verdict.decision))
            return add_suspicion(verdict,
                                 "qmail-rcptd cannot tell whether anybody gets mail for this recipient");
        verdict.cause = Cause::cannot_tell;
        verdict.reply = "451 unable to look up this recipient now, try again later (#4.3.0)";
        verdict.why = "qmail-rcptd gave no answer (recipientcheck)";
    }
}

}  // namespace

std::string one_line(std::string_view text) {
    std::string result(text.substr(0, 500));
    for (char& c : result)
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = ' ';
    return result;
}

Verdict judge(Policy& policy, const Settings& settings, const Client& client, std::string_view sender,
              std::string_view recipient) {
    const std::string ours = policy.with_local_name(recipient, client);
    Verdict verdict = judge_sender(policy, client, sender, ours);
    verdict.recipient = ours;
    if (verdict.cause != Cause::none) return verdict;
    verdict.decision = policy.decide(client, ours);
    if (!verdict.decision.allowed) {
        verdict.cause = Cause::no_right;
        verdict.reply = "553 " + one_line(settings.relaydenied);
        verdict.why = verdict.decision.why;
        return verdict;
    }
    if (client.relayclient) verdict.recipient += *client.relayclient;
    if (verdict.recipient.size() > mail::address_limit) {
        verdict.cause = Cause::too_long;
        verdict.reply = syntax_error;
        return verdict;
    }
    if (!policy.is_our_postmaster(ours)) judge_recipient(policy, client, verdict);
    return verdict;
}

}  // namespace relais::smtpd
