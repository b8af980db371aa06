// What a Lane knows of shares: who belongs together, what they may have, and what it learns from deliveries.
#include <algorithm>
#include <cmath>

#include "send/lane.h"

namespace relais::send {
namespace {

constexpr double first_limit = 5;
constexpr std::uint32_t first_backoff = 30;
constexpr std::uint32_t longest_backoff = 1800;
// Slower than this, and far slower than usual: too much for the destination.
constexpr double slow_milliseconds = 1000;
constexpr double slow_factor = 4;
// A delivery that came to nothing after that time hung.
constexpr std::uint32_t hanging_milliseconds = 60'000;

// Tokens for a second, and at least one.
double most_tokens(const control::DestinationLimit& limits) {
    return std::max(1.0, limits.per_thousand_seconds / 1000.0);
}

void fill_tokens(Share& share, std::uint32_t now) {
    if (now > share.tokens_at)
        share.tokens =
            std::min(most_tokens(share.limits),
                     share.tokens + (now - share.tokens_at) * (share.limits.per_thousand_seconds / 1000.0));
    share.tokens_at = now;
}

}  // namespace

Share& Lane::new_share() {
    auto share = std::make_unique<Share>();
    share->limit = first_limit;
    Share& made = *share;
    shares_.emplace(&made, std::move(share));
    return made;
}

void Lane::set_limits(control::DestinationLimits limits) {
    limits_ = std::move(limits);
    for (const auto& [name, destination] : destinations_) destination->share->limits = {};
    for (const auto& [name, destination] : destinations_) {
        Share& share = *destination->share;
        share.limits = control::stricter(share.limits, limits_.match(name));
        share.rate_until = 0;
        enter_rings(*destination->share);
    }
}

bool Lane::may_run(const Share& share, std::uint32_t now) const {
    if (share.backoff_until > now || share.rate_until > now) return false;
    if (share.limits.connections > 0 && share.running >= share.limits.connections) return false;
    if (share.probing || share.stranger) return share.running == 0;
    return !adaptive_ || share.running < static_cast<unsigned>(share.limit);
}

void Lane::spend_token(Share& share, std::uint32_t now) {
    const std::uint32_t rate = share.limits.per_thousand_seconds;
    if (rate == 0) return;
    fill_tokens(share, now);
    share.tokens -= 1;
    if (share.tokens < 1)
        share.rate_until = now + static_cast<std::uint32_t>(std::ceil((1 - share.tokens) * 1000 / rate));
}

// Of a delivery that was not begun after all.
void Lane::give_back_token(Share& share) {
    if (share.limits.per_thousand_seconds == 0) return;
    share.tokens = std::min(most_tokens(share.limits), share.tokens + 1);
    if (share.tokens >= 1) share.rate_until = 0;
}

void Lane::count_running(Share& share, int change) {
    share.running += static_cast<unsigned>(change);
    if (share.stranger) strangers_running_ += static_cast<unsigned>(change);
}

void Lane::set_stranger(Share& share, bool stranger) {
    if (!is_known_ || share.stranger == stranger) return;
    strangers_running_ += stranger ? share.running : ~share.running + 1;
    share.stranger = stranger;
    enter_rings(share);
}

bool Lane::is_crowded(const Destination& destination) const {
    return running_ * 4 >= concurrency_ * 3 ||
           (destination.share->stranger && strangers_running_ * 4 > places_for_strangers());
}

void Lane::learn(Share& share, const Verdict& verdict, std::uint32_t now) {
    if (!adaptive_) return;
    if (verdict.kind == Verdict::Kind::unreachable) {
        share.limit = 1;
        share.probing = true;
        share.reason = verdict.reason;
        if (share.backoff_until > now) return;  // others that were under way say the same
        share.backoff_span = std::clamp(share.backoff_span * 2, first_backoff, longest_backoff);
        share.backoff_until = now + share.backoff_span;
        wake_at(share.backoff_until);
        return;
    }
    // Somebody answered there.
    share.probing = false;
    share.backoff_until = 0;
    share.backoff_span = 0;
    const double time = verdict.milliseconds;
    const bool slow = time > slow_milliseconds && time > slow_factor * share.usual_milliseconds;
    share.usual_milliseconds =
        share.usual_milliseconds == 0 ? time : share.usual_milliseconds * 0.95 + time * 0.05;
    if (verdict.kind == Verdict::Kind::temporary || slow)
        share.limit = std::max(1.0, share.limit * 0.75);
    else
        share.limit = std::min<double>(concurrency_, share.limit + std::min(1.0, 4 / share.limit));
}

bool Lane::finished(const DestinationPtr& destination, const Verdict& verdict, std::uint32_t now) {
    if (!verdict.mx_group.empty()) join_group(destination, verdict.mx_group);
    release(destination);
    Share& share = *destination->share;
    const bool backed_off = share.backoff_until > now;
    if (verdict.delivered)
        set_stranger(share, false);
    else if (verdict.kind != Verdict::Kind::success && verdict.milliseconds >= hanging_milliseconds)
        set_stranger(share, true);
    learn(share, verdict, now);
    return !backed_off && share.backoff_until > now;
}

void Lane::join_group(const DestinationPtr& destination, const std::string& group) {
    Share*& known = groups_[group];
    Share& old = *destination->share;
    if (known == &old) return;
    if (known == nullptr || known->members == 0) {
        // The first of its group: its share becomes the group's, unless it belongs to another one already.
        known = old.members == 1 ? &old : &new_share();
        if (known == &old) return;
        known->stranger = old.stranger;
    }
    Share& shared = *known;
    // Servers that take mail for one of their domains are no strangers.
    if (!old.stranger) set_stranger(shared, false);
    --old.members;
    ++shared.members;
    shared.limits = control::stricter(shared.limits, limits_.match(destination->name));
    count_running(old, -static_cast<int>(destination->running));
    count_running(shared, static_cast<int>(destination->running));
    for (std::size_t line = 0; line < line_count; ++line) leave_ready(destination, line);
    destination->share = &shared;
    for (std::size_t line = 0; line < line_count; ++line) make_ready(destination, line);
}

void Lane::forget_backoff(const DestinationPtr& destination) {
    destination->share->backoff_until = 0;
    destination->share->backoff_span = 0;
    enter_rings(*destination->share);
}

void Lane::purge(std::uint32_t now) {
    if (destinations_.size() < purge_at_ && shares_.size() < 2 * purge_at_) return;
    std::erase_if(destinations_, [&](const auto& item) {
        const Destination& destination = *item.second;
        const bool idle = destination.running == 0 && destination.queued() == 0 && parked(destination) == 0 &&
                          destination.share->backoff_until <= now;
        if (idle) {
            numbers_.erase(destination.number);
            --destination.share->members;
        }
        return idle;
    });
    purge_at_ = std::max(first_purge, destinations_.size() * 2);
    const auto unused = [](const Share* share) { return share->members == 0; };
    for (auto& ring : rings_) std::erase_if(ring, unused);
    std::erase_if(resting_, unused);
    std::erase_if(groups_, [&](const auto& item) { return unused(item.second); });
    std::erase_if(shares_, [&](const auto& item) { return unused(item.first); });
}

}  // namespace relais::send
