// Deliveries that another qmail-send has begun and a retired spawner still has. Each holds its recipients,
// its place in the concurrency and its share, and nothing else: the rest of the message goes its way.
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "send/active.h"
#include "send/log_text.h"

namespace relais::send {
namespace {

Route route_of(const UnderWay& delivery) {
    return {delivery.channel, delivery.address, delivery.address,
            delivery.channel == Channel::local ? "" : delivery.address};
}

}  // namespace

void Sender::still_running(unsigned from, const UnderWay& delivery) {
    const RunningKey key{from, delivery.delivery};
    if (running_.contains(key))
        return out_.log(fmt::format("alert: a spawner has two deliveries {}", delivery.delivery));
    const Route route = route_of(delivery);
    Lane& lane = side_of(delivery.channel).lane;
    const DestinationPtr destination =
        lane.destination(destination_name(route), route.is_local() ? user_name(route) : "");
    lane.adopt(destination);
    running_[key] = {delivery.channel, delivery.message, 0,   destination,
                     delivery.indices, delivery.since,   from};
    claims_[delivery.message].push_back(key);
    // Another spawner's report may have loaded it.
    if (const auto found = window_.find(delivery.message); found != window_.end())
        claim_recipients(*found->second);
    // Numbers stay one delivery's as long as it runs, in the log too.
    next_delivery_ = std::max(next_delivery_, delivery.delivery + delivery.indices.size());
    out_.log(fmt::format("still running delivery {}: msg {} to {} {}", delivery.delivery, delivery.message,
                         name_of(delivery.channel), safe_for_log(delivery.address)));
}

// Of a message that has been loaded.
void Sender::claim_recipients(Active& active) const {
    const auto claims = claims_.find(active.id());
    if (claims == claims_.end()) return;
    for (const RunningKey& key : claims->second) {
        const Running& running = running_.at(key);
        for (const std::uint32_t recipient : running.recipients) {
            if (recipient >= active.states.size() || active.states[recipient] != RecipientState::open)
                continue;
            active.set(recipient, RecipientState::elsewhere);
            active.channels[recipient] = running.channel;
        }
    }
}

// It has ended, whatever that means: nothing counts it any more but its place in the lane.
Sender::Running Sender::take_running(RunningPlace place) {
    const RunningKey key = place->first;
    Running running = std::move(place->second);
    running_.erase(place);
    const auto claims = claims_.find(running.message);
    if (claims == claims_.end()) return running;
    std::erase(claims->second, key);
    if (claims->second.empty()) claims_.erase(claims);
    return running;
}

// The message, loaded if it is not in the window; nothing if it is gone, or cannot be read now.
Sender::Active* Sender::active_of_late(queue::MessageId id) {
    if (const auto found = window_.find(id); found != window_.end()) return found->second.get();
    known_.insert(id);
    const KnownMessages::Entry before = *known_.find(id);
    Active* active = load(id, false);
    if (active == nullptr) return nullptr;
    active->resume_at = before.place == Place::due ? before.when : now();
    return active;
}

void Sender::late_report(unsigned from, const Report& report) {
    const auto found = running_.find({from, report.delivery});
    if (found == running_.end())
        return out_.log(
            fmt::format("warning: a late report about delivery {} that is not running", report.delivery));
    // Loaded while it still claims its recipients: so they are told from those that others try.
    Active* active = active_of_late(found->second.message);
    const Running running = take_running(found);
    if (report.recipients.empty()) return given_back(report.delivery, running);
    Side& side = side_of(running.channel);
    const bool backs_off = learn_from(side, running, report);
    if (active != nullptr)
        conclude(*active, report.delivery, running, report);
    else
        out_.log(fmt::format("delivery {}: success: the_message_was_deleted_meanwhile/", report.delivery));
    if (backs_off) destination_backs_off(side, running.destination);
    side.lane.call_parked(*running.destination);
    log_status();
    if (const auto still = window_.find(running.message); still != window_.end()) settle(*still->second);
}

void Sender::retired_lost(unsigned from) {
    std::vector<RunningKey> lost;
    for (const auto& [key, running] : running_)
        if (key.from == from) lost.push_back(key);
    for (const RunningKey& key : lost) {
        const Running running = take_running(running_.find(key));
        side_of(running.channel).lane.dropped(running.destination);
        reopen(running);
    }
}

void Sender::given_back(std::uint64_t delivery, const Running& running) {
    for (std::size_t i = 0; i < running.recipients.size(); ++i)
        out_.log(fmt::format("delivery {}: deferral: {}", delivery + i,
                             log_text("It was cut off by a restart before it could have any effect.")));
    Side& side = side_of(running.channel);
    side.lane.dropped(running.destination);
    side.lane.call_parked(*running.destination);
    log_status();
    reopen(running);
}

// Its recipients are to be tried, at once.
void Sender::reopen(const Running& running) {
    if (const auto found = window_.find(running.message); found != window_.end()) {
        Active& active = *found->second;
        for (const std::uint32_t recipient : running.recipients) {
            if (recipient >= active.states.size()) continue;
            RecipientState& state = active.states[recipient];
            if (state == RecipientState::running || state == RecipientState::elsewhere)
                active.set(recipient, RecipientState::open);
        }
        // Now, for others of it may run for hours.
        if (!exiting_ && lists_missing_ == 0 && !active.stored.status.hold && active.stage != Stage::stalled)
            return distribute(active, false);
        active.resume_at = now();
        return settle(active);
    }
    KnownMessages::Entry* entry = known_.find(running.message);
    if (entry == nullptr) return;
    entry->destination = 0;  // it waits for no single one any more
    if (entry->place == Place::elsewhere || entry->place == Place::due || entry->place == Place::parked)
        known_.schedule(*entry, now());
}

std::string Sender::still_running_text(queue::MessageId id) const {
    std::string text;
    const auto claims = claims_.find(id);
    if (claims == claims_.end()) return text;
    for (const RunningKey& key : claims->second) {
        const Running& running = running_.at(key);
        text += fmt::format("delivery {} of before the last restart still runs, to {} {}, since {} GMT\n",
                            key.delivery, name_of(running.channel), safe_for_log(running.destination->name),
                            date_gmt(running.since));
    }
    return text;
}

}  // namespace relais::send
