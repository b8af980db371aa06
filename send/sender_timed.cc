// Messages that their senders want sent at a later time (RFC 4865), or delivered by one (RFC 2852). Each has
// an alarm, by the wall clock that its sender went by; a flush of the queue moves none. And what is urgent
// (RFC 6710).
#include <fmt/core.h>

#include "base/error.h"
#include "base/time.h"
#include "send/active.h"

namespace relais::send {

void Sender::note_times(const queue::StoredMessage& message) {
    const mail::EnvelopeOptions& options = message.envelope.options;
    if (options.release == 0 && !options.deliver_by && options.priority == 0) return;
    Times& times = times_[message.id] = {queue::beginning(message)};
    times.priority = options.priority;
    times.release = options.release;
    if (!options.deliver_by) return;
    times.due = options.deliver_by->when;
    times.returns = options.deliver_by->returns;
    if (times.due > wall()) set_alarm(times.due, message.id);
}

std::int64_t Sender::beginning(queue::MessageId id) const {
    const auto found = times_.find(id);
    return found != times_.end() ? found->second.beginning : static_cast<std::int64_t>(id / 1'000'000);
}

bool Sender::keep_until_release(const Active& active, KnownMessages::Entry& entry) {
    // One of which nobody is left has a bounce to send.
    if (active.remaining == 0 || !queue::waits_for_release(active.stored, wall())) return false;
    const std::int64_t release = active.stored.envelope.options.release;
    entry.place = Place::later;
    entry.forced = false;
    set_alarm(release, active.id());
    // After a restart it has been told.
    if (!active.had_failures)
        out_.tell(Event("later").with("msg", active.id()).with("next", static_cast<std::uint64_t>(release)));
    return true;
}

void Sender::ring_alarms() {
    while (!alarms_.empty() && alarms_.begin()->first <= wall()) {
        const queue::MessageId id = alarms_.begin()->second;
        alarms_.erase(alarms_.begin());
        KnownMessages::Entry* entry = known_.find(id);
        if (entry == nullptr) continue;
        if (entry->place == Place::later)
            known_.schedule(*entry, now());
        else if (const auto times = times_.find(id); times != times_.end())
            time_is_up(id, *entry, times->second);
    }
}

bool Sender::is_overdue(const Active& active) const {
    const auto& by = active.stored.envelope.options.deliver_by;
    return by && by->returns && by->when <= wall();
}

// What runs, runs to its end: its report decides.
void Sender::give_back(Active& active) {
    drop_queued(active);
    std::vector<std::uint32_t> open;
    for (std::uint32_t i = 0; i < active.states.size(); ++i)
        if (active.states[i] == RecipientState::open || active.states[i] == RecipientState::deferred)
            open.push_back(i);
    if (!open.empty()) {
        out_.log(fmt::format("warning: msg {} was not delivered in time, and goes back", active.id()));
        const std::string& error =
            active.last_error.empty() ? active.stored.status.last_error : active.last_error;
        fail_all(active, open, error + (error.empty() ? "" : "\n") + overdue_text(active), time_expired);
    }
    settle(active);
}

// Of one that is held nothing is asked before it is released.
void Sender::time_is_up(queue::MessageId id, KnownMessages::Entry& entry, const Times& times) {
    if (times.due == 0 || times.due > wall()) return;
    const auto found = window_.find(id);
    if (found != window_.end()) {
        if (times.returns && !found->second->stored.status.hold) give_back(*found->second);
        return;
    }
    if (entry.place != Place::due && entry.place != Place::parked && entry.place != Place::elsewhere) return;
    // One that goes back is to be read, whatever its destination does.
    entry.forced = entry.forced || times.returns;
    known_.schedule(entry, now());
}

std::string Sender::overdue_text(const Active& active) {
    const auto& by = active.stored.envelope.options.deliver_by;
    return "It was to be delivered by " + date_gmt(by ? by->when : 0) + " GMT, or to come back. (#5.4.7)";
}

void Sender::forget_times(queue::MessageId id) {
    const auto found = times_.find(id);
    if (found == times_.end()) return;
    alarms_.erase({found->second.due, id});
    alarms_.erase({found->second.release, id});
    times_.erase(found);
}

bool Sender::is_urgent(queue::MessageId id) const {
    const auto found = times_.find(id);
    return found != times_.end() && found->second.priority > 0;
}

// In no line of parked mail, where all that came before would go first.
void Sender::wait_urgently(KnownMessages::Entry& entry, const Destination& destination) {
    constexpr std::uint32_t pause = 5;
    known_.schedule(entry, std::max(destination.share->backoff_until, now() + pause));
}

// What somebody wants sent now. That it was is written down first: a restart would keep it again. False for
// one that waits for no release.
bool Sender::send_early(queue::MessageId id) {
    queue::StoredMessage message;
    if (store_.load(id, message, false) != queue::Load::whole || !queue::waits_for_release(message, wall()))
        return false;
    message.status.released = wall();
    store_.write_status(message);
    known_.schedule(*known_.find(id), now());
    return true;
}

}  // namespace relais::send
