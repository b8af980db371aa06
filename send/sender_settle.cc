// What comes next for a message of which nothing is under way, until its end: the transitions of Stage.
#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "metrics/count.h"
#include "send/active.h"

namespace relais::send {

// Delivered recipients are marked, unless the message ends now anyway.
void Sender::mark_done(Active& active) {
    if (active.unmarked.empty()) return;
    std::vector<queue::Recipient> recipients;
    for (const std::uint32_t recipient : active.unmarked)
        recipients.push_back(active.stored.envelope.recipients[recipient]);
    try {
        store_.mark_all(active.id(), recipients, queue::Mark::done, false);
    } catch (const Error& error) {
        if (error.number() != ENOENT) throw;  // somebody removed the message: nothing to mark
    }
    active.unmarked.clear();
}

// What is to be done with the message when nothing of it is under way.
void Sender::settle(Active& active) {
    if (active.stage == Stage::stalled || active.stage == Stage::ending) return;
    try {
        // The last open recipient without F needs no mark: the message ends with it.
        if (active.remaining + active.failed + active.delivered.size() > 0) mark_done(active);
    } catch (const Error& error) {
        out_.log(alert_text(error));
        if (active.stage == Stage::working) return stall(active);
    }
    if (active.stage != Stage::working) return;
    // Failures gather while others of the message are under way: one record, or one bounce, for all of them.
    const bool under_way = active.planned + active.queued + active.running > 0;
    if ((!under_way && !active.delivered.empty()) || active.delivered.size() >= deliveries_told)
        return report_deliveries(active);
    const bool waited = active.tell_at != 0 && active.tell_at <= now() && may_tell(active);
    if (active.failure_octets > record_text_limit || ((!under_way || waited) && !active.failures.empty())) {
        if (ends_with_failures(active)) return ask_for_bounce(active);
        return may_tell(active) ? tell_early(active) : record_failures(active);
    }
    if (under_way) return;
    if (active.remaining + active.failed == 0) return end(active);
    if (active.remaining == 0)
        return active.bounce_refused ? postpone(active.id(), bounce_pause) : ask_for_bounce(active);
    KnownMessages::Entry& entry = *known_.find(active.id());
    if (active.stored.status.hold) {
        entry.place = Place::held;
        keep_held(active);
        return leave_window(active.id());
    }
    if (active.failed > 0 && may_tell(active)) return tell_early(active);
    if (active.deferred > 0) return defer(active);
    if (active.elsewhere == active.remaining) {
        entry.place = Place::elsewhere;
        // What has failed is told meanwhile.
        if (active.failed > 0) known_.schedule(entry, next_telling(active));
        return leave_window(active.id());
    }
    if (active.resume_at) {
        known_.schedule(entry, *active.resume_at);
        return leave_window(active.id());
    }
    if (active.waits_for.empty()) return postpone(active.id(), 0);  // held, then released meanwhile
    Side& side = side_of(active.waits_on);
    const DestinationPtr destination = side.lane.destination(active.waits_for);
    warn_of_delay(active, destination->share->reason);
    // Several destinations have no line of their own: it would be read again and again.
    if (active.priority() > 0 && entry.destination != 0) {
        wait_urgently(entry, *destination);
        return leave_window(active.id());
    }
    entry.park_at(destination->number);
    side.lane.park(destination, active.id(), now());
    leave_window(active.id());
}

void Sender::defer(Active& active) {
    // One that waits for a local recipient comes back as soon as local mail does.
    Channel channel = Channel::remote;
    for (std::size_t i = 0; i < active.states.size(); ++i)
        if (active.channels[i] == Channel::local && active.states[i] == RecipientState::deferred)
            channel = Channel::local;
    // Its own age, whatever the clock says of its birth.
    const std::int64_t pause = seconds_to_next_try(wall() - age(active.id()), wall(), channel);
    warn_of_delay(active, active.last_error);
    queue::Status& status = active.stored.status;
    ++status.tries;
    status.last_try = wall();
    status.next_try = wall() + pause;
    status.last_error = active.last_error;
    try {
        store_.write_status(active.stored);
    } catch (const Error& error) {
        if (error.number() == ENOENT) return forget(active.id());
        out_.log(alert_text(error));  // it is advice only
    }
    out_.tell(Event("wait")
                  .with("msg", active.id())
                  .with("tries", status.tries)
                  .with("next", static_cast<std::uint64_t>(status.next_try))
                  .with("text", status.last_error));
    postpone(active.id(), static_cast<std::uint32_t>(std::clamp<std::int64_t>(pause, 1, 100'000'000)));
}

void Sender::end(Active& active) {
    const queue::MessageId id = active.id();
    active.stage = Stage::ending;
    try {
        if (active.had_failures)
            store_.remove(id);
        else
            store_.remove_message(id);
    } catch (const Error& error) {
        out_.log(alert_text(error));
        stalled_.emplace(now() + disk_pause, id);
        return;
    }
    forget(id);
    metrics::count("send.ended");
    metrics::observe("send.queue_time", (wall_us_ - std::min(id, wall_us_)) / 1000);
    out_.tell(Event("end", "end msg " + std::to_string(id)).with("msg", id));
}

void Sender::stall(Active& active) {
    active.stage = Stage::stalled;
    stalled_.emplace(now() + disk_pause, active.id());
}

void Sender::retry_stalled() {
    while (!stalled_.empty() && stalled_.begin()->first <= now()) {
        const queue::MessageId id = stalled_.begin()->second;
        stalled_.erase(stalled_.begin());
        const auto found = window_.find(id);
        if (found == window_.end()) continue;
        Active& active = *found->second;
        if (active.stage == Stage::ending) {
            end(active);
        } else if (active.stage == Stage::stalled) {
            active.stage = Stage::working;
            settle(active);
        }
    }
}

}  // namespace relais::send
