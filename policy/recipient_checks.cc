// What the recipient says.
#include "mail/address.h"
#include "policy/chain.h"

namespace relais::policy {
namespace {

// A look into a home has a second; the rest is for a machine that has much to do.
constexpr Seconds recipient_patience{5};

// The open-smtp store is asked last, and check_right asks it for recipients elsewhere alone.
bool may_relay(const Facts& facts) {
    return gives_right(facts.decision.reason) || facts.policy.find_open_smtp(facts.client).live;
}

}  // namespace

Result check_badrcptto(Facts& facts) {
    const auto entry = facts.policy.bad_names().recipients().match_address(facts.recipient);
    if (!entry) return {};
    return found("553 sorry, your envelope recipient is in my badrcptto list (#5.7.1)",
                 "the recipient matches " + *entry, *entry);
}

Result check_right(Facts& facts) {
    facts.decision = facts.policy.decide(facts.client, facts.recipient);
    if (facts.decision.allowed) return {};
    return refusal(Cause::no_right, "553 " + one_line(facts.settings.relaydenied), facts.decision.why);
}

Result check_length(Facts& facts) {
    if (facts.client.relayclient) facts.queued += *facts.client.relayclient;
    if (facts.queued.size() <= mail::address_limit) return {};
    return refusal(Cause::too_long, std::string(syntax_error));
}

// Those who may send anywhere hear of an unknown recipient too, or it would bounce to whatever sender they
// gave. While nobody can tell, a stranger keeps the message; from them it is taken, for many of their
// programs try once.
Result check_recipientcheck(Facts& facts) {
    using Mode = RecipientCheck::Mode;
    const Mode mode = facts.policy.recipient_check(facts.queued);
    if (mode == Mode::off || facts.policy.is_our_postmaster(facts.recipient)) return {};
    const local::RecipientAnswer answer =
        facts.policy.find_recipient(facts.queued, Deadline::in(recipient_patience));
    if (answer == local::RecipientAnswer::unknown) {
        if (mode == Mode::log) return suspicious("nobody here gets mail for this recipient (recipientcheck)");
        return refusal(Cause::unknown, "550 sorry, no mailbox here by that name (#5.1.1)",
                       "nobody here gets mail for it (recipientcheck)");
    }
    if (answer == local::RecipientAnswer::bounces && !facts.sender.empty()) {
        if (mode == Mode::log) return suspicious("this recipient takes bounces alone (recipientcheck)");
        return refusal(Cause::unknown, "550 sorry, this address takes bounces alone (#5.7.1)",
                       "it is a rewritten sender (recipientcheck)");
    }
    if (answer != local::RecipientAnswer::not_now) return {};
    if (mode == Mode::log || may_relay(facts))
        return suspicious("qmail-rcptd cannot tell whether anybody gets mail for this recipient");
    return refusal(Cause::cannot_tell, "451 unable to look up this recipient now, try again later (#4.3.0)",
                   "qmail-rcptd gave no answer (recipientcheck)");
}

}  // namespace relais::policy
