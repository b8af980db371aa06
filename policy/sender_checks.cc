// What the sender says.
#include "policy/check.h"

namespace relais::policy {

Result check_badmailfrom(Facts& facts) {
    const auto entry = facts.policy.bad_names().senders().match_address(facts.sender);
    if (!entry) return {};
    Result result = found("553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)",
                          "the sender matches " + *entry, *entry);
    result.cause = Cause::bad_sender;
    return result;
}

Result check_badmailfromnorelay(Facts& facts) {
    const auto entry = facts.policy.bad_names().senders_of_strangers().match_address(facts.sender);
    if (!entry) return {};
    return found("553 sorry, your envelope sender is in my badmailfromnorelay list (#5.7.1)",
                 "the sender of a stranger matches " + *entry, *entry);
}

Result check_senderlogins(Facts& facts) {
    using Mode = SenderLogins::Mode;
    const auto& user = facts.client.user;
    const Mode mode = user ? facts.policy.rejects_login(*user, facts.sender) : Mode::off;
    if (mode == Mode::enforce)
        return refusal(Cause::foreign_login, "553 sorry, this login may not use that sender (#5.7.1)",
                       "a sender of another (senderlogins)");
    return mode == Mode::warn ? suspicious("a login with a sender of another") : Result{};
}

Result check_localsenders(Facts& facts) {
    const LocalSenders mode = facts.policy.suspects(facts.client, facts.sender);
    if (mode == LocalSenders::enforce)
        return refusal(Cause::local_sender, "553 sorry, senders of this domain must log in first (#5.7.1)",
                       "a sender of ours from an outsider (localsenders)");
    return mode == LocalSenders::warn ? suspicious("a sender of ours from an outsider") : Result{};
}

}  // namespace relais::policy
