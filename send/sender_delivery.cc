// Orders, reports, and what follows from them until the message's end: the transitions of docs/internals.md.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"
#include "send/active.h"
#include "send/bounce.h"
#include "send/bounce_hints.h"
#include "send/log_text.h"

namespace relais::send {
namespace {

constexpr int orders_at_once = 256;
constexpr std::uint32_t disk_pause = 60;
// Failures gather so long while others of the message are under way: the sender hears of them within five
// minutes.
constexpr std::uint32_t gathering_time = 240;
constexpr std::string_view too_long_in_queue =
    "\nI'm not going to try again; this message has been in the queue too long.";

}  // namespace

Verdict verdict_of(const Report& report) {
    Verdict verdict;
    verdict.milliseconds = report.milliseconds;
    verdict.mx_group = report.mx_group;
    for (const RecipientReport& recipient : report.recipients) {
        verdict.delivered = verdict.delivered || recipient.outcome == Outcome::success;
        if (recipient.outcome != Outcome::temporary) continue;
        verdict.kind = report.connection_failed ? Verdict::Kind::unreachable : Verdict::Kind::temporary;
        verdict.reason = recipient.text;
    }
    return verdict;
}

bool Sender::start_deliveries(Side& side) {
    for (int orders = 0; orders < orders_at_once; ++orders) {
        if (side.blocked) return false;
        const auto next = side.lane.next(now());
        if (!next) return false;
        if (!start(side, *next)) return false;
    }
    return true;
}

// False if the channel is full.
bool Sender::start(Side& side, const Lane::Next& next) {
    const auto found = window_.find(next.job.message);
    if (found == window_.end() || found->second->load != next.job.load ||
        found->second->states[next.job.recipients[0]] != RecipientState::queued) {
        side.lane.dropped(next.destination);
        side.lane.call_parked(*next.destination);
        return true;
    }
    Active& active = *found->second;
    if (!is_current(next, active, side.channel)) {
        for (const std::uint32_t recipient : next.job.recipients) active.set(recipient, RecipientState::open);
        side.lane.dropped(next.destination);
        side.lane.call_parked(*next.destination);
        distribute(active, false);
        rerouted_ = true;
        return true;
    }
    std::vector<Route> routes;
    for (const std::uint32_t recipient : next.job.recipients)
        routes.push_back(rewrite(settings_.rules, active.stored.envelope.recipients[recipient].address));
    try {
        if (!send_order(side.channel, next_delivery_, active, next, routes, file_for_delivery(active))) {
            side.blocked = true;
            side.lane.put_back(next.destination, next.job);
            return false;
        }
    } catch (const Error& error) {
        side.lane.dropped(next.destination);
        if (error.number() == ENOENT) {
            forget(active.id());
            return true;
        }
        out_.log(alert_text(error));
        active.last_error = error.what();
        for (const std::uint32_t recipient : next.job.recipients)
            active.set(recipient, RecipientState::deferred);
        settle(active);
        return true;
    }
    for (std::size_t i = 0; i < next.job.recipients.size(); ++i) {
        const std::uint32_t recipient = next.job.recipients[i];
        active.set(recipient, RecipientState::running);
        out_.log(fmt::format("starting delivery {}: msg {} to {} {}", next_delivery_ + i, active.id(),
                             name_of(side.channel), safe_for_log(routes[i].address)));
    }
    running_[{0, next_delivery_}] = {
        side.channel, active.id(), active.load, next.destination, next.job.recipients, wall(), 0};
    next_delivery_ += next.job.recipients.size();
    log_status();
    side.lane.call_parked(*next.destination);
    return true;
}

// The descriptor that the message was loaded from serves one delivery.
Fd Sender::file_for_delivery(Active& active) {
    if (!active.file) return store_.open_for_delivery(active.id());
    --kept_files_;
    return std::move(active.file);
}

// False for a job made before locals or virtualdomains changed: its recipients belong elsewhere now.
bool Sender::is_current(const Lane::Next& next, const Active& active, Channel channel) const {
    if (next.job.rules == rules_) return true;
    const auto& all = active.stored.envelope.recipients;
    return std::all_of(next.job.recipients.begin(), next.job.recipients.end(), [&](std::uint32_t recipient) {
        const Route route = rewrite(settings_.rules, all[recipient].address);
        return route.channel == channel && destination_name(route) == next.destination->name;
    });
}

bool Sender::send_order(Channel channel, std::uint64_t delivery, const Active& active, const Lane::Next& next,
                        const std::vector<Route>& routes, Fd message) {
    const Route& first = routes[0];
    const std::string sender = expand_verp(active.stored.envelope.sender, first.plain);
    if (channel == Channel::local)
        return out_.order(LocalOrder{delivery, active.id(), active.stored.message_size, sender, first.address,
                                     next.job.recipients[0]},
                          std::move(message));
    RemoteOrder order{delivery,
                      active.id(),
                      active.stored.message_size,
                      first.host,
                      sender,
                      {},
                      next.destination->share->limits.messages,
                      next.job.recipients,
                      remote_.lane.is_crowded(*next.destination)};
    for (const Route& route : routes) order.recipients.push_back(route.address);
    return out_.order(order, std::move(message));
}

// Of the destination. True if it has just begun to back off.
bool Sender::learn_from(Side& side, const Running& running, const Report& report) {
    const Verdict verdict = verdict_of(report);
    if (verdict.delivered && running.channel == Channel::remote)
        known_destinations_.add(running.destination->name, wall());
    return side.lane.finished(running.destination, verdict, now());
}

void Sender::report(Channel channel, const Report& report) {
    const auto found = running_.find({0, report.delivery});
    if (found == running_.end() || found->second.channel != channel) {
        out_.log("warning: a report about delivery " + std::to_string(report.delivery) +
                 " that is not running");
        return;
    }
    const Running running = take_running(found);
    if (report.recipients.empty()) return given_back(report.delivery, running);
    Side& side = side_of(channel);
    const bool backs_off = learn_from(side, running, report);

    const auto active = window_.find(running.message);
    const bool known = active != window_.end() && active->second->load == running.load;
    if (known) {
        conclude(*active->second, report.delivery, running, report);
    } else {
        // Removed meanwhile by a queue tool.
        for (std::size_t i = 0; i < running.recipients.size(); ++i)
            out_.log(
                fmt::format("delivery {}: success: the_message_was_deleted_meanwhile/", report.delivery + i));
    }
    if (backs_off) destination_backs_off(side, running.destination);
    side.lane.call_parked(*running.destination);
    log_status();
    const auto still = window_.find(running.message);
    if (known && still != window_.end() && still->second->load == running.load) settle(*still->second);
}

// Reads the outcome of each recipient into the message's states.
void Sender::conclude(Active& active, std::uint64_t delivery, const Running& running, const Report& report) {
    const RecipientReport missing{Outcome::temporary, "The spawner's report was incomplete. (#4.3.0)"};
    std::vector<std::uint32_t> failed;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < running.recipients.size(); ++i) {
        const std::uint32_t recipient = running.recipients[i];
        // A report that comes twice, for nobody said that the first had been taken, tells nothing new.
        if (recipient >= active.states.size() || (active.states[recipient] != RecipientState::running &&
                                                  active.states[recipient] != RecipientState::elsewhere))
            continue;
        const RecipientReport& result = i < report.recipients.size() ? report.recipients[i] : missing;
        std::string text = result.text;
        while (text.ends_with('\n')) text.pop_back();
        std::string_view word = "deferral";
        if (result.outcome == Outcome::success) {
            word = "success";
            active.set(recipient, RecipientState::done);
            active.unmarked.push_back(recipient);
        } else if (result.outcome == Outcome::permanent || active.dying) {
            word = "failure";
            if (result.outcome != Outcome::permanent) text += too_long_in_queue;
            failed.push_back(recipient);
            texts.push_back(text);
        } else {
            active.set(recipient, RecipientState::deferred);
            active.last_error = text;
        }
        out_.log(fmt::format("delivery {}: {}: {}", delivery + i, word, log_text(text)));
    }
    if (!failed.empty()) fail(active, failed, texts);
}

// They are told to the sender, or recorded until that can be done, by settle.
void Sender::fail(Active& active, const std::vector<std::uint32_t>& recipients,
                  const std::vector<std::string>& texts) {
    active.had_failures = true;
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        const Route route =
            rewrite(settings_.rules, active.stored.envelope.recipients[recipients[i]].address);
        std::string text = texts[std::min(i, texts.size() - 1)];
        if (settings_.hints) {
            const std::string hint = bounce_hint_lines(*settings_.hints, text);
            text += (text.empty() || hint.empty() ? "" : "\n") + hint;
        }
        active.failures.push_back({recipients[i], bounce_paragraph(route.plain, text)});
        active.failure_octets += active.failures.back().paragraph.size();
        active.set(recipients[i], RecipientState::failing);
    }
    if (active.tell_at != 0 || active.states.size() == 1) return;
    const auto told = told_.find(active.id());
    active.tell_at = std::max(now() + gathering_time, told == told_.end() ? 0 : told->second.next);
    tell_.emplace(active.tell_at, active.id());
}

// All that is left of the message are failures that one bounce can tell: what makes them last is the bounce
// itself. After a crash before that the recipients are tried once more.
bool Sender::ends_with_failures(const Active& active) const {
    return active.remaining == active.failing && active.failures.size() == active.failing &&
           active.failure_octets <= record_text_limit && !active.bounce_refused;
}

// Away from here, for it means to wait for the disk. As many as one record takes; the rest when that is done.
void Sender::record_failures(Active& active) {
    FailureRecord record{active.id(), {}, {}};
    while (!active.failures.empty() && record.text.size() < record_text_limit) {
        Active::Failure& next = active.failures.front();
        record.text += next.paragraph;
        record.recipients.push_back(active.stored.envelope.recipients[next.recipient]);
        active.failure_octets -= next.paragraph.size();
        active.recorded.push_back(std::move(next));
        active.failures.pop_front();
    }
    active.tell_at = 0;
    active.stage = Stage::recording;
    ++under_way_;
    out_.record(std::move(record));
}

void Sender::failure_recorded(queue::MessageId id, const std::string& trouble) {
    --under_way_;
    const auto found = window_.find(id);
    if (found == window_.end()) return;
    Active& active = *found->second;
    const Stage stage = active.stage;
    if (stage != Stage::recording && stage != Stage::marking) return;
    active.stage = Stage::working;
    if (stage == Stage::marking) return marked_as_told(active, trouble);
    if (trouble.empty()) {
        for (const Active::Failure& failure : active.recorded)
            active.set(failure.recipient, RecipientState::failed);
    } else {
        out_.log("alert: " + trouble);
        if (is_gone(id)) return forget(id);  // somebody removed the message: nobody is told
        for (const Active::Failure& failure : active.recorded)
            active.failure_octets += failure.paragraph.size();
        active.failures.insert(active.failures.begin(), std::make_move_iterator(active.recorded.begin()),
                               std::make_move_iterator(active.recorded.end()));
    }
    active.recorded.clear();
    if (!trouble.empty()) return stall(active);
    settle(active);
}

bool Sender::is_gone(queue::MessageId id) const {
    try {
        static_cast<void>(store_.open_for_delivery(id));
    } catch (const Error& error) {
        return error.number() == ENOENT;
    }
    return false;
}

// Delivered recipients are marked, unless the message ends now anyway.
void Sender::mark_done(Active& active) {
    while (!active.unmarked.empty()) {
        const auto& recipient = active.stored.envelope.recipients[active.unmarked.back()];
        try {
            store_.mark(active.id(), recipient, queue::Mark::done, false);
        } catch (const Error& error) {
            if (error.number() != ENOENT) throw;  // somebody removed the message: nothing to mark
        }
        active.unmarked.pop_back();
    }
}

// Its jobs wait without a place in the window; one of them will try again when the back-off ends.
void Sender::destination_backs_off(Side& side, const DestinationPtr& destination) {
    for (const Job& job : side.lane.take_jobs(destination)) {
        const auto found = window_.find(job.message);
        if (found == window_.end() || found->second->load != job.load ||
            found->second->states[job.recipients[0]] != RecipientState::queued)
            continue;
        leave_open(*found->second, job.recipients, side.channel, *destination);
        settle(*found->second);
    }
    for (const queue::MessageId id : side.lane.parked_at(*destination)) {
        KnownMessages::Entry* entry = known_.find(id);
        const bool here = entry != nullptr && entry->is_parked_at(destination->number);
        if (here && clock_->age(static_cast<std::int64_t>(id / 1'000'000), wall()) > settings_.queue_lifetime)
            known_.schedule(*entry, now());
    }
}

// Not tried, for the destination backs off or is crowded. What is too old for another round fails with the
// reason.
void Sender::leave_open(Active& active, const std::vector<std::uint32_t>& recipients, Channel channel,
                        const Destination& destination) {
    if (active.dying && Lane::backs_off(destination, now()))
        return fail(active, recipients, {destination.share->reason + std::string(too_long_in_queue)});
    for (const std::uint32_t recipient : recipients) active.set(recipient, RecipientState::open);
    active.waits_for = destination.name;
    active.waits_on = channel;
}

// What is to be done with the message when nothing of it is under way.
void Sender::settle(Active& active) {
    if (active.stage == Stage::stalled || active.stage == Stage::ending) return;
    try {
        // The last open recipient without F needs no mark: the message ends with it.
        if (active.remaining + active.failed > 0) mark_done(active);
    } catch (const Error& error) {
        out_.log(alert_text(error));
        if (active.stage == Stage::working) return stall(active);
    }
    if (active.stage != Stage::working) return;
    // Failures gather while others of the message are under way: one record, or one bounce, for all of them.
    const bool under_way = active.queued + active.running > 0;
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
    const std::int64_t pause =
        seconds_to_next_try(wall() - clock_->age(active.birth(), wall()), wall(), channel);
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
    out_.log("end msg " + std::to_string(id));
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
