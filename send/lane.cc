#include "send/lane.h"

#include <algorithm>
#include <cmath>

namespace relais::send {
namespace {

// Jobs of one destination in the window.
constexpr std::size_t jobs_wanted = 100;
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

Lane::~Lane() {
    for (const auto& [name, destination] : destinations_)
        for (auto& ready : destination->share->ready) ready.clear();
}

DestinationPtr Lane::destination(std::string_view name, const std::string& group) {
    auto& found = destinations_[std::string(name)];
    if (!found) {
        found = std::make_shared<Destination>();
        found->name = name;
        found->number = next_number_++;
        found->share = std::make_shared<Share>();
        found->share->limit = first_limit;
        found->share->members = 1;
        found->share->limits = limits_.match(name);
        found->share->stranger = is_known_ && !is_known_(name);
        numbers_[found->number] = found;
        if (!group.empty()) join_group(found, group);
    }
    return found;
}

DestinationPtr Lane::numbered(std::uint32_t number) const {
    const auto found = numbers_.find(number);
    return found == numbers_.end() ? nullptr : found->second.lock();
}

void Lane::enter_ring(const std::shared_ptr<Share>& share, std::size_t line) {
    const std::size_t ring = ring_of(*share, line);
    if (share->in_ring[ring] || share->ready[line].empty()) return;
    share->in_ring[ring] = true;
    rings_[ring].push_back(share);
}

void Lane::enter_rings(const std::shared_ptr<Share>& share) {
    enter_ring(share, 0);
    enter_ring(share, 1);
}

void Lane::make_ready(const DestinationPtr& destination, std::size_t line) {
    if (destination->jobs[line].empty()) return;
    if (!destination->in_ready[line]) {
        destination->in_ready[line] = true;
        destination->share->ready[line].push_back(destination);
    }
    enter_ring(destination->share, line);
}

void Lane::leave_ready(const DestinationPtr& destination, std::size_t line) {
    if (!std::exchange(destination->in_ready[line], false)) return;
    std::erase(destination->share->ready[line], destination);
}

void Lane::add(const DestinationPtr& destination, Job job) {
    const std::size_t line = job.line;
    destination->jobs[line].push_back(std::move(job));
    make_ready(destination, line);
}

void Lane::put_back(const DestinationPtr& destination, Job job) {
    const std::size_t line = job.line;
    destination->jobs[line].push_front(std::move(job));
    give_back_token(*destination->share);
    release(destination);
    make_ready(destination, line);
}

void Lane::set_limits(control::DestinationLimits limits) {
    limits_ = std::move(limits);
    for (const auto& [name, destination] : destinations_) destination->share->limits = {};
    for (const auto& [name, destination] : destinations_) {
        Share& share = *destination->share;
        share.limits = control::stricter(share.limits, limits_.match(name));
        share.rate_until = 0;
        enter_rings(destination->share);
    }
}

bool Lane::may_run(const Share& share, std::uint32_t now) const {
    if (share.backoff_until > now || share.rate_until > now) return false;
    if (share.limits.connections > 0 && share.running >= share.limits.connections) return false;
    if (share.probing || share.stranger) return share.running == 0;
    return !adaptive_ || share.running < static_cast<unsigned>(share.limit);
}

// Takes the next destination of the share in turn.
std::optional<Lane::Next> Lane::take_from(const std::shared_ptr<Share>& share, std::size_t line,
                                          std::uint32_t now) {
    const DestinationPtr destination = share->ready[line].front();
    share->ready[line].pop_front();
    destination->in_ready[line] = false;
    Next next{destination, std::move(destination->jobs[line].front())};
    destination->jobs[line].pop_front();
    ++destination->running;
    count_running(*share, 1);
    ++running_;
    if (const std::uint32_t rate = share->limits.per_thousand_seconds; rate > 0) {
        fill_tokens(*share, now);
        share->tokens -= 1;
        if (share->tokens < 1)
            share->rate_until =
                now + static_cast<std::uint32_t>(std::ceil((1 - share->tokens) * 1000 / rate));
    }
    make_ready(destination, line);
    enter_ring(share, line);
    return next;
}

std::optional<Lane::Next> Lane::next(std::uint32_t now) {
    if (running_ >= concurrency_) return std::nullopt;
    for (std::size_t tried = 0; tried < rings_.size(); ++tried) {
        const std::size_t ring = (turn_ + tried) % rings_.size();
        if (auto next = next_of(ring, now)) {
            turn_ = ring + 1;
            return next;
        }
    }
    return std::nullopt;
}

// The next share of that ring that may have another delivery. Those that may not run at all leave the ring.
std::optional<Lane::Next> Lane::next_of(std::size_t number, std::uint32_t now) {
    if (number >= 2 && strangers_running_ >= places_for_strangers()) return std::nullopt;
    auto& ring = rings_[number];
    const std::size_t line = number % 2;
    // Those without room have three deliveries or more, so this passes over few.
    for (std::size_t left = ring.size(); left > 0; --left) {
        const std::shared_ptr<Share> share = ring.front();
        ring.pop_front();
        share->in_ring[number] = false;
        if (share->ready[line].empty() || ring_of(*share, line) != number) continue;
        if (!may_run(*share, now))
            rest(share, std::max(share->backoff_until, share->rate_until), now);
        else if (leaves_places(*share))
            return take_from(share, line, now);
        else
            enter_ring(share, line);
    }
    return std::nullopt;
}

// Until that second; one that has deliveries to wait for comes back with them.
void Lane::rest(const std::shared_ptr<Share>& share, std::uint32_t until, std::uint32_t now) {
    if (until <= now) return;
    wake_at(until);
    if (!std::exchange(share->resting, true)) resting_.push_back(share);
}

// Of a delivery that was not begun after all.
void Lane::give_back_token(Share& share) {
    if (share.limits.per_thousand_seconds == 0) return;
    share.tokens = std::min(most_tokens(share.limits), share.tokens + 1);
    if (share.tokens >= 1) share.rate_until = 0;
}

void Lane::release(const DestinationPtr& destination) {
    --running_;
    --destination->running;
    count_running(*destination->share, -1);
    enter_rings(destination->share);
}

void Lane::adopt(const DestinationPtr& destination) {
    ++running_;
    ++destination->running;
    count_running(*destination->share, 1);
}

void Lane::count_running(Share& share, int change) {
    share.running += static_cast<unsigned>(change);
    if (share.stranger) strangers_running_ += static_cast<unsigned>(change);
}

void Lane::set_stranger(const std::shared_ptr<Share>& share, bool stranger) {
    if (!is_known_ || share->stranger == stranger) return;
    strangers_running_ += stranger ? share->running : ~share->running + 1;
    share->stranger = stranger;
    enter_rings(share);
}

bool Lane::is_crowded(const Destination& destination) const {
    return running_ * 4 >= concurrency_ * 3 ||
           (destination.share->stranger && strangers_running_ * 4 > places_for_strangers());
}

void Lane::dropped(const DestinationPtr& destination) {
    give_back_token(*destination->share);
    release(destination);
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
        set_stranger(destination->share, false);
    else if (verdict.kind != Verdict::Kind::success && verdict.milliseconds >= hanging_milliseconds)
        set_stranger(destination->share, true);
    learn(share, verdict, now);
    return !backed_off && share.backoff_until > now;
}

void Lane::join_group(const DestinationPtr& destination, const std::string& group) {
    auto& known = groups_[group];
    std::shared_ptr<Share> shared = known.lock();
    std::shared_ptr<Share> old = destination->share;
    if (shared == old) return;
    if (!shared) {
        // The first of its group: its share becomes the group's, unless it belongs to another one already.
        if (old->members == 1) {
            known = old;
            return;
        }
        shared = std::make_shared<Share>();
        shared->limit = first_limit;
        shared->stranger = old->stranger;
        known = shared;
    }
    // Servers that take mail for one of their domains are no strangers.
    if (!old->stranger) set_stranger(shared, false);
    --old->members;
    ++shared->members;
    shared->limits = control::stricter(shared->limits, limits_.match(destination->name));
    count_running(*old, -static_cast<int>(destination->running));
    count_running(*shared, static_cast<int>(destination->running));
    for (const std::size_t line : {std::size_t{0}, std::size_t{1}}) leave_ready(destination, line);
    destination->share = shared;
    for (const std::size_t line : {std::size_t{0}, std::size_t{1}}) make_ready(destination, line);
}

std::deque<Job> Lane::take_jobs(const DestinationPtr& destination) {
    for (const std::size_t line : {std::size_t{0}, std::size_t{1}}) leave_ready(destination, line);
    std::deque<Job> all = std::exchange(destination->jobs[0], {});
    for (Job& job : std::exchange(destination->jobs[1], {})) all.push_back(std::move(job));
    return all;
}

void Lane::forget_backoff(const DestinationPtr& destination) {
    destination->share->backoff_until = 0;
    destination->share->backoff_span = 0;
    enter_rings(destination->share);
}

std::vector<DestinationPtr> Lane::destinations() const {
    std::vector<DestinationPtr> all;
    for (const auto& [name, destination] : destinations_)
        if (destination->running > 0 || destination->queued() > 0 || parked(*destination) > 0 ||
            destination->share->backoff_until > 0)
            all.push_back(destination);
    return all;
}

bool Lane::has_room(const Destination& destination, std::uint32_t now) const {
    if (backs_off(destination, now) || destination.queued() >= jobs_wanted) return false;
    return !destination.share->probing || destination.queued() == 0;
}

void Lane::park(const DestinationPtr& destination, queue::MessageId id, std::uint32_t now) {
    parking_.add(destination->number, id);
    if (backs_off(*destination, now))
        wake_at(destination->share->backoff_until);
    else if (destination->queued() == 0)
        parking_.call(destination->number);  // nothing there ends and calls it
}

std::optional<Lane::Parked> Lane::next_parked(std::uint32_t now) {
    while (const auto number = parking_.called()) {
        const DestinationPtr destination = numbered(*number);
        if (destination && parked(*destination) > 0 && has_room(*destination, now))
            return Parked{*number, parking_.take()};
        parking_.end_turn();
    }
    return std::nullopt;
}

void Lane::wake_at(std::uint32_t when) {
    if (when != 0 && (next_wake_ == 0 || when < next_wake_)) next_wake_ = when;
}

void Lane::wake(std::uint32_t now) {
    next_wake_ = 0;
    std::erase_if(resting_, [&](const std::shared_ptr<Share>& share) {
        const std::uint32_t until = std::max(share->backoff_until, share->rate_until);
        if (until > now) {
            wake_at(until);
            return false;
        }
        share->resting = false;
        enter_rings(share);
        return true;
    });
    for (const Parking::Number number : parking_.destinations()) {
        const DestinationPtr destination = numbered(number);
        if (destination && backs_off(*destination, now))
            wake_at(destination->share->backoff_until);
        else
            parking_.call(number);
    }
}

void Lane::purge(std::uint32_t now) {
    if (destinations_.size() < purge_at_) return;
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
    std::erase_if(groups_, [](const auto& item) { return item.second.expired(); });
}

}  // namespace relais::send
