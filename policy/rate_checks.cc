// How much a client sends (control/ratelimits), and whether it comes back (greylisting), as qmail-countd
// knows. Where it does not answer in its time mail passes, and the log says so; but not of a login that may
// be held.
#include <fmt/core.h>

#include <algorithm>

#include "base/time.h"
#include "mail/address.h"
#include "net/network.h"
#include "policy/check.h"

namespace relais::policy {
namespace {

using control::RateLimit;
using counts::Count;
using counts::Mark;

constexpr std::chrono::milliseconds patience{200};
// An alert for each message would fill the log.
constexpr std::int64_t between_alerts = 60;
// A sender that does not come back within eight hours begins anew; one that does is known for 36 days, so
// that a letter a month passes.
constexpr std::uint32_t comes_back = 8 * 3600;
constexpr std::uint32_t is_known = 36 * 86400;

void tell_of_silence(Facts& facts) {
    static std::int64_t told = 0;
    const std::int64_t now = now_seconds();
    if (now - told < between_alerts) return;
    told = now;
    facts.notices.emplace_back(
        "alert: qmail-countd does not answer: nobody is held up by ratelimits or greylist");
}

// Strangers share a budget with their neighbours; those that may relay by a rule have none.
std::string network_key(const Facts& facts) {
    if (facts.client.relayclient || facts.client.certificate || facts.client.user) return "";
    return net::network_of(facts.client.ip);
}

// A forged sender must not use up an innocent domain's budget.
std::string domain_key(Facts& facts) {
    const bool genuine = facts.client.user || (facts.verification && facts.verification->spf_passes());
    return genuine ? std::string(mail::split_address(facts.sender).domain) : "";
}

// Whose the mail is: who has proved it, or, for what holds, who has opened the door by POP or IMAP. A login
// that is held must not have that way round.
std::string login_of(const Facts& facts, bool holds) {
    if (facts.client.user) return *facts.client.user;
    return holds ? facts.policy.login_of_open_smtp(facts.client) : "";
}

std::string key_of(Facts& facts, const RateLimit& limit) {
    std::string whom;
    switch (limit.whom) {
        case RateLimit::Whom::network:
            whom = network_key(facts);
            break;
        case RateLimit::Whom::login:
            whom = login_of(facts, limit.holds);
            break;
        case RateLimit::Whom::domain:
            whom = domain_key(facts);
            break;
    }
    if (whom.empty()) return "";
    return counts::make_key(fmt::format("rate:{}:{}:{}", to_text(limit.what), limit.seconds,
                                        limit.holds ? counts::hard_budget : to_text(limit.whom)),
                            whom);
}

// The budgets of these kinds. A rehearsal asks only.
std::vector<Count> budgets(Facts& facts, bool refused) {
    std::vector<Count> counts;
    for (const RateLimit& limit : facts.settings.rate_limits) {
        // A message counts with its first recipient.
        if (limit.what == RateLimit::What::messages && (refused || facts.has_recipient)) continue;
        if (limit.what == RateLimit::What::recipients && refused) continue;
        std::string key = key_of(facts, limit);
        if (key.empty()) continue;
        const bool only_asks = facts.rehearsal || (limit.what == RateLimit::What::refused && !refused);
        counts.push_back({std::move(key), only_asks ? 0U : 1U, limit.number, limit.seconds});
        // To ask whether one more would fit.
        if (only_asks && counts.back().limit > 0) --counts.back().limit;
    }
    return counts;
}

Mark triplet(const Facts& facts) {
    return {counts::make_key("grey:" + net::network_of(facts.client.ip), facts.sender, facts.recipient),
            static_cast<std::uint32_t>(facts.settings.grey_delay.count()), comes_back, is_known};
}

Mark good_domain(const Facts& facts) {
    return {counts::make_key("good", mail::split_address(facts.sender).domain), 0, is_known, is_known};
}

// Its hard budgets, only to ask: whether one more would fit.
std::vector<Count> hard_budgets(Facts& facts) {
    std::vector<Count> counts;
    for (const RateLimit& limit : facts.settings.rate_limits) {
        if (!limit.holds || (limit.what == RateLimit::What::messages && facts.has_recipient)) continue;
        std::string key = key_of(facts, limit);
        if (!key.empty()) counts.push_back({std::move(key), 0, limit.number - 1, limit.seconds});
    }
    return counts;
}

// "" where there is no hard budget, or it is nobody's mail.
std::string login_that_may_be_held(const Facts& facts) {
    const auto& limits = facts.settings.rate_limits;
    const bool any =
        std::any_of(limits.begin(), limits.end(), [](const RateLimit& each) { return each.holds; });
    return any ? login_of(facts, true) : "";
}

// Somebody else may have the password: nobody but an administrator lets it send again. A mode that lets pass
// what is found holds nobody. Nothing: qmail-countd does not answer.
std::optional<bool> is_held(Facts& facts, const std::string& login) {
    counts::Counts& counts = facts.policy.counts();
    const Deadline deadline = Deadline::in(patience);
    const auto held = counts.is_held(counts::held_key(login), deadline);
    if (!held || *held) return held;
    const std::vector<Count> hard = hard_budgets(facts);
    const auto verdict = counts.count(hard, deadline);
    if (!verdict) return std::nullopt;
    if (verdict->wait == 0) return false;
    const control::CheckMode mode = facts.settings.modes.of(*control::find_check("ratelimits"));
    if (facts.rehearsal || mode == control::CheckMode::log || mode == control::CheckMode::tag) return true;
    const auto is_new = counts.hold(hard[verdict->number], deadline);
    if (!is_new) return std::nullopt;
    if (*is_new) facts.held_login = login;
    return true;
}

Result cannot_tell_of_hold(const std::string& login) {
    return cannot_tell("450 unable to tell whether mail of this login is held, try again later (#4.3.0)",
                       "qmail-countd does not answer, and the login " + login + " may be held");
}

}  // namespace

Result check_ratelimits(Facts& facts) {
    const std::string login = login_that_may_be_held(facts);
    if (!login.empty()) {
        const auto held = is_held(facts, login);
        if (!held) return cannot_tell_of_hold(login);
        if (*held)
            return found(
                "550 mail of this login is held, for it has sent too much: ask your postmaster (#5.7.1)",
                "the login " + login + " is held");
    }
    const std::vector<Count> counts = budgets(facts, false);
    if (counts.empty()) return {};
    const auto verdict = facts.policy.counts().count(counts, Deadline::in(patience));
    if (!verdict) {
        if (!login.empty()) return cannot_tell_of_hold(login);
        tell_of_silence(facts);
        return {};
    }
    if (verdict->wait == 0) return {};
    return found(fmt::format("450 too much mail for now, try again in {} seconds (#4.7.1)", verdict->wait),
                 fmt::format("the budget {} is used up", counts[verdict->number].key));
}

void count_refused(Facts& facts) {
    const control::KnownCheck& check = *control::find_check("ratelimits");
    if (facts.rehearsal || facts.settings.modes.of(check) == control::CheckMode::off) return;
    std::vector<Count> counts = budgets(facts, true);
    // Beyond the limit, too: who goes on is kept waiting.
    for (Count& count : counts) count.limit = UINT32_MAX;
    if (!counts.empty()) facts.policy.counts().count(counts, Deadline::in(patience));
}

Result check_greylist(Facts& facts) {
    if (facts.sender.empty() || facts.list_score.value_or(0) < 0) return {};
    if (net::network_of(facts.client.ip).empty() || !facts.policy.is_delivered_here(facts.recipient))
        return {};
    counts::Counts& counts = facts.policy.counts();
    const Deadline deadline = Deadline::in(patience);
    const bool genuine = facts.verification && facts.verification->spf_passes();
    if (genuine && counts.seen(good_domain(facts), deadline) == 0U) return {};
    const auto wait =
        facts.rehearsal ? counts.seen(triplet(facts), deadline) : counts.mark(triplet(facts), deadline);
    if (!wait) {
        tell_of_silence(facts);
        return {};
    }
    if (*wait == 0) {
        if (genuine && !facts.rehearsal) counts.mark(good_domain(facts), deadline);
        return {};
    }
    return found(fmt::format("450 greylisted, try again in {} seconds (#4.7.1)", *wait),
                 "this sender is new for this recipient from this network");
}

}  // namespace relais::policy
