#include "send/lane.h"

#include <algorithm>

namespace relais::send {
namespace {

// Jobs of one destination in the window.
constexpr std::size_t jobs_wanted = 100;

}  // namespace

DestinationPtr Lane::destination(std::string_view name, const std::string& group) {
    std::unique_ptr<Destination>& found = destinations_[std::string(name)];
    if (!found) {
        found = std::make_unique<Destination>();
        found->name = name;
        found->number = next_number_++;
        found->share = &new_share();
        found->share->members = 1;
        found->share->limits = limits_.match(name);
        found->share->stranger = is_known_ && !is_known_(name);
        numbers_[found->number] = found.get();
        if (!group.empty()) join_group(found.get(), group);
    }
    return found.get();
}

const Destination* Lane::find(std::string_view name) const {
    const auto found = destinations_.find(std::string(name));
    return found == destinations_.end() ? nullptr : found->second.get();
}

DestinationPtr Lane::numbered(std::uint32_t number) const {
    const auto found = numbers_.find(number);
    return found == numbers_.end() ? nullptr : found->second;
}

void Lane::enter_ring(Share& share, std::size_t line) {
    const std::size_t ring = ring_of(share, line);
    if (share.in_ring[ring] || share.ready[line].empty()) return;
    share.in_ring[ring] = true;
    rings_[ring].push_back(&share);
}

void Lane::enter_rings(Share& share) {
    for (std::size_t line = 0; line < line_count; ++line) enter_ring(share, line);
}

void Lane::make_ready(const DestinationPtr& destination, std::size_t line) {
    if (destination->jobs[line].empty()) return;
    if (!destination->in_ready[line]) {
        destination->in_ready[line] = true;
        destination->share->ready[line].push_back(destination);
    }
    enter_ring(*destination->share, line);
}

void Lane::leave_ready(const DestinationPtr& destination, std::size_t line) {
    if (!std::exchange(destination->in_ready[line], false)) return;
    std::erase(destination->share->ready[line], destination);
}

void Lane::add(const DestinationPtr& destination, Job job) {
    const std::size_t line = job.line;
    waiting_bulk_ += line == bulk_line;
    destination->urgent += job.is_urgent();
    std::list<Job>& jobs = destination->jobs[line];
    auto place = jobs.end();
    while (place != jobs.begin() && std::prev(place)->rank() > job.rank()) --place;
    jobs.insert(place, std::move(job));
    make_ready(destination, line);
}

void Lane::put_back(const DestinationPtr& destination, Job job) {
    const std::size_t line = job.line;
    waiting_bulk_ += line == bulk_line;
    destination->urgent += job.is_urgent();
    destination->jobs[line].push_front(std::move(job));
    give_back_token(*destination->share);
    release(destination);
    make_ready(destination, line);
}

// Takes the next destination of the share in turn.
std::optional<Lane::Next> Lane::take_from(Share& share, std::size_t line, std::uint32_t now) {
    const DestinationPtr destination = share.ready[line].front();
    share.ready[line].pop_front();
    destination->in_ready[line] = false;
    Next next{destination, std::move(destination->jobs[line].front())};
    destination->jobs[line].pop_front();
    destination->urgent -= next.job.is_urgent();
    waiting_bulk_ -= line == bulk_line;
    ++destination->running;
    count_running(share, 1);
    ++running_;
    spend_token(share, now);
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
    if (number >= line_count && strangers_running_ >= places_for_strangers()) return std::nullopt;
    auto& ring = rings_[number];
    const std::size_t line = number % line_count;
    // Those without room have three deliveries or more, so this passes over few.
    for (std::size_t left = ring.size(); left > 0; --left) {
        Share& share = *ring.front();
        ring.pop_front();
        share.in_ring[number] = false;
        if (share.ready[line].empty() || ring_of(share, line) != number) continue;
        if (!may_run(share, now))
            rest(share, std::max(share.backoff_until, share.rate_until), now);
        else if (leaves_places(share))
            return take_from(share, line, now);
        else
            enter_ring(share, line);
    }
    return std::nullopt;
}

// Until that second; one that has deliveries to wait for comes back with them.
void Lane::rest(Share& share, std::uint32_t until, std::uint32_t now) {
    if (until <= now) return;
    wake_at(until);
    if (!std::exchange(share.resting, true)) resting_.push_back(&share);
}

void Lane::release(const DestinationPtr& destination) {
    --running_;
    --destination->running;
    count_running(*destination->share, -1);
    enter_rings(*destination->share);
}

void Lane::adopt(const DestinationPtr& destination) {
    ++running_;
    ++destination->running;
    count_running(*destination->share, 1);
}

void Lane::dropped(const DestinationPtr& destination) {
    give_back_token(*destination->share);
    release(destination);
}

std::list<Job> Lane::take_jobs(const DestinationPtr& destination) {
    std::list<Job> all;
    waiting_bulk_ -= destination->jobs[bulk_line].size();
    destination->urgent = 0;
    for (std::size_t line = 0; line < line_count; ++line) {
        leave_ready(destination, line);
        all.splice(all.end(), destination->jobs[line]);
    }
    return all;
}

std::vector<DestinationPtr> Lane::destinations() const {
    std::vector<DestinationPtr> all;
    for (const auto& [name, destination] : destinations_)
        if (destination->running > 0 || destination->queued() > 0 || parked(*destination) > 0 ||
            destination->share->backoff_until > 0)
            all.push_back(destination.get());
    return all;
}

bool Lane::has_room(const Destination& destination, std::uint32_t now, bool urgent) const {
    const std::size_t jobs = urgent ? destination.urgent : destination.queued() - destination.urgent;
    if (backs_off(destination, now) || jobs >= jobs_wanted) return false;
    return !destination.share->probing || destination.queued() == 0;
}

bool Lane::is_full(const Destination& destination) {
    return destination.queued() - destination.urgent >= jobs_wanted;
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
    std::erase_if(resting_, [&](Share* share) {
        const std::uint32_t until = std::max(share->backoff_until, share->rate_until);
        if (until > now) {
            wake_at(until);
            return false;
        }
        share->resting = false;
        enter_rings(*share);
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

}  // namespace relais::send
