// Orders and reports.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"
#include "metrics/count.h"
#include "send/active.h"
#include "send/log_text.h"

namespace relais::send {
namespace {

constexpr int orders_at_once = 256;
constexpr std::string_view too_long_in_queue =
    "\nI'm not going to try again; this message has been in the queue too long.";

// What is asked of reports on one recipient.
std::string dsn_extension(const queue::Envelope& envelope, std::uint32_t recipient) {
    mail::EnvelopeOptions options;
    options.ret = envelope.options.ret;
    options.envid = envelope.options.envid;
    options.smtputf8 = envelope.options.smtputf8;
    options.requiretls = envelope.options.requiretls;
    return mail::encode_extension(options, {envelope.recipients.options(recipient)});
}

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
        out_.tell(
            Event("start", fmt::format("starting delivery {}: msg {} to {} {}", next_delivery_ + i,
                                       active.id(), name_of(side.channel), safe_for_log(routes[i].address)))
                .with("delivery", next_delivery_ + i)
                .with("msg", active.id())
                .with("channel", name_of(side.channel))
                .with("rcpt", routes[i].address));
    }
    running_[{0, next_delivery_}] = {side.channel,        active.id(), active.load, next.destination,
                                     next.job.recipients, wall(),      0,           monotonic_ms_};
    metrics::count("send.started", name_of(side.channel), next.job.recipients.size());
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
        return out_.order(
            LocalOrder{delivery, active.id(), active.stored.message_size, sender, first.address,
                       next.job.recipients[0], dsn_extension(active.stored.envelope, next.job.recipients[0])},
            std::move(message));
    RemoteOrder order{delivery,
                      active.id(),
                      active.stored.message_size,
                      first.host,
                      sender,
                      {},
                      next.destination->share->limits.messages,
                      next.job.recipients,
                      remote_.lane.is_crowded(*next.destination),
                      active.stored.envelope.options};
    for (const Route& route : routes) order.recipients.push_back(route.address);
    for (const std::uint32_t recipient : next.job.recipients)
        order.recipient_options.push_back(active.stored.envelope.recipients.options(recipient));
    return out_.order(order, std::move(message));
}

// Milliseconds since it began; 0 for one of a qmail-send before.
std::uint64_t Sender::since(const Running& running) const {
    return running.started_ms == 0 ? 0 : monotonic_ms_ - std::min(running.started_ms, monotonic_ms_);
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
    const std::uint64_t took = since(running);
    if (channel == Channel::local)
        metrics::observe("send.local_time", took);
    else
        metrics::observe("send.remote_time", took);
    const bool backs_off = learn_from(side, running, report);

    const auto active = window_.find(running.message);
    const bool known = active != window_.end() && active->second->load == running.load;
    if (known) {
        conclude(*active->second, report.delivery, running, report);
    } else {
        // Removed meanwhile by a queue tool.
        metrics::count("send.success", name_of(channel), running.recipients.size());
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
    std::vector<Failing> failures;
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
            metrics::count("send.success", name_of(running.channel));
            if (running.channel == Channel::remote)
                metrics::count("send.transport", report.tls.empty() ? "plain" : "tls");
            active.set(recipient, RecipientState::done);
            active.unmarked.push_back(recipient);
            note_delivered(active, recipient, result, running, report);
        } else if (result.outcome == Outcome::permanent || active.dying || is_overdue(active)) {
            word = "failure";
            metrics::count("send.failure", name_of(running.channel));
            if (result.outcome != Outcome::permanent)
                text += is_overdue(active) ? "\n" + overdue_text(active) : std::string(too_long_in_queue);
            failed.push_back(recipient);
            const bool expired = result.outcome != Outcome::permanent;
            if (expired) metrics::count("send.expired");
            failures.push_back({{Outcome::permanent, text,
                                 expired ? std::string(time_expired) : result.status, result.diagnostic},
                                report.server});
        } else {
            metrics::count("send.deferral", name_of(running.channel));
            active.set(recipient, RecipientState::deferred);
            active.last_error = text;
            note_delayed(active, recipient, result, report);
        }
        out_.tell(Event("delivery", fmt::format("delivery {}: {}: {}", delivery + i, word, log_text(text)))
                      .with("delivery", delivery + i)
                      .with("msg", active.id())
                      .with("result", word)
                      .with("text", text)
                      .with("status", result.status)
                      .with("server", report.server)
                      .with("ip", report.server_ip)
                      .with("tls", report.tls)
                      .with("reply", result.diagnostic)
                      .with("milliseconds", since(running)));
    }
    if (!failed.empty()) fail(active, failed, failures);
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
        if (!here) continue;
        if ((!entry->warned && is_delayed(id)) || age(id) > settings_.queue_lifetime)
            known_.schedule(*entry, now());
    }
}

// Not tried, for the destination backs off or is crowded. What is too old for another round fails with the
// reason.
void Sender::leave_open(Active& active, const std::vector<std::uint32_t>& recipients, Channel channel,
                        const Destination& destination) {
    if (active.dying && Lane::backs_off(destination, now())) {
        metrics::count("send.expired", recipients.size());
        return fail_all(active, recipients, destination.share->reason + std::string(too_long_in_queue),
                        time_expired);
    }
    for (const std::uint32_t recipient : recipients) active.set(recipient, RecipientState::open);
    active.waits_for = destination.name;
    active.waits_on = channel;
}

}  // namespace relais::send
