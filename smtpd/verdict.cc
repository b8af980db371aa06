#include "smtpd/verdict.h"

#include "mail/address.h"

namespace relais::smtpd {
namespace {

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
    }
    return verdict;
}

}  // namespace relais::smtpd
