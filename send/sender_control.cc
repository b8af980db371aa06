// What queue tools ask of a running qmail-send, and the words in which it explains itself.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "send/active.h"
#include "send/bounce.h"
#include "send/log_text.h"

namespace relais::send {
namespace {

constexpr std::size_t destinations_shown = 100;
constexpr std::size_t deliveries_shown = 100;
// By why: mail goes on soon.
constexpr std::size_t recipients_looked_at = 10'000;

ControlAnswer ok() {
    return {true, {}};
}
ControlAnswer no(std::string text) {
    return {false, std::move(text)};
}

std::string span(std::int64_t seconds) {
    if (seconds < 120) return fmt::format("{} seconds", std::max<std::int64_t>(0, seconds));
    if (seconds < 7200) return fmt::format("{} minutes", seconds / 60);
    return fmt::format("{} hours", seconds / 3600);
}

}  // namespace

ControlAnswer Sender::control(const ControlRequest& request) {
    if (request.verb == ControlVerb::flush) {
        flush();
        return ok();
    }
    if (request.verb == ControlVerb::handover) {
        hand_over();
        return ok();
    }
    if (request.verb == ControlVerb::stat) return {true, statistics()};
    if (request.verb == ControlVerb::running) return {true, running_text()};
    if (request.verb == ControlVerb::cut) return cut(request.message);
    // A message may be there though its hint was lost.
    const queue::MessageId id = request.message;
    if (known_.find(id) == nullptr) {
        queue::StoredMessage message;
        if (id == 0 || store_.load(id, message, false) != queue::Load::whole)
            return no("there is no such message");
        hint(id);
    }
    KnownMessages::Entry& entry = *known_.find(id);
    switch (request.verb) {
        case ControlVerb::hold:
            out_.tell(Event("hold").with("msg", id));
            return hold(id);
        case ControlVerb::release:
            out_.tell(Event("release").with("msg", id));
            return release(id);
        case ControlVerb::remove:
            return remove(id);
        case ControlVerb::bounce:
            return bounce(id);
        case ControlVerb::why:
            return {true, why(id)};
        default:
            break;
    }
    // retry
    if (entry.place == Place::held) return no("the message is held: release it");
    if (entry.place == Place::damaged) return no("the message is damaged");
    if (entry.place == Place::active) return ok();
    if (send_early(id)) return ok();
    entry.forced = true;
    known_.schedule(entry, now());
    return ok();
}

// Its jobs become void, for none of their recipients is queued any more; what runs, runs to its end.
void Sender::drop_queued(Active& active) {
    for (std::uint32_t i = 0; i < active.states.size(); ++i)
        if (active.states[i] == RecipientState::queued || active.states[i] == RecipientState::planned)
            active.set(i, RecipientState::open);
    active.plan.clear();
}

// A delivery that runs has its own descriptor and is let end.
ControlAnswer Sender::remove(queue::MessageId id) {
    store_.remove(id);
    out_.tell(Event("delete", fmt::format("warning: msg {} was deleted on request", id)).with("msg", id));
    forget(id);
    out_.tell(Event("end", fmt::format("end msg {}", id)).with("msg", id));
    return ok();
}

ControlAnswer Sender::bounce(queue::MessageId id) {
    if (lists_missing_ > 0)
        return no("it is not known yet what was under way before the restart: try again in a minute");
    const auto found = window_.find(id);
    Active* active = found != window_.end() ? found->second.get() : load(id, false);
    if (active == nullptr) return no("the message cannot be read");
    if (active->stage == Stage::bouncing) return ok();
    // Whoever asks expects a try at once, also where one was just refused or is about to be.
    active->bounce_refused = false;
    active->bounce_requested = active->stage == Stage::telling;
    drop_queued(*active);
    std::vector<std::uint32_t> open;
    for (std::uint32_t i = 0; i < active->states.size(); ++i)
        if (active->states[i] == RecipientState::open || active->states[i] == RecipientState::deferred)
            open.push_back(i);
    active->stored.status.by_hand = false;
    if (std::exchange(active->stored.status.hold, false)) store_.write_status(active->stored);
    out_.log(fmt::format("warning: msg {} is bounced on request", id));
    if (!open.empty()) {
        const std::string error =
            active->last_error.empty() ? active->stored.status.last_error : active->last_error;
        fail_all(
            *active, open,
            (error.empty() ? "" : error + "\n") + "The postmaster of this host has given this message up.");
    }
    settle(*active);
    return ok();
}

std::string Sender::delivery_text(const RunningKey& key) const {
    const Running& running = running_.at(key);
    std::string to = running.destination->name;
    queue::StoredMessage message;
    if (running.channel == Channel::remote &&
        store_.load(running.message, message, false) == queue::Load::whole &&
        running.recipients[0] < message.envelope.recipients.size())
        to += " for " + message.envelope.recipients[running.recipients[0]].address;
    if (running.recipients.size() > 1) to += fmt::format(" and {} more", running.recipients.size() - 1);
    return fmt::format("delivery {}: msg {} to {} {}, since {} GMT ({}){}\n", key.delivery, running.message,
                       name_of(running.channel), one_line(to), date_gmt(running.since),
                       span(wall() - running.since),
                       running.from > 0 ? ", from before the last restart" : "");
}

// Of an order for several recipients each has a number, and they end together. A number may be that of two,
// if a spawner came back whose list had been given up.
ControlAnswer Sender::cut(std::uint64_t delivery) {
    std::string text;
    for (const auto& [key, running] : running_) {
        if (delivery < key.delivery || delivery - key.delivery >= running.recipients.size()) continue;
        text += delivery_text(key);
        out_.log(
            fmt::format("warning: delivery {}: msg {} is cut off on request", key.delivery, running.message));
        out_.cut(running.channel, key.from, key.delivery);
    }
    return text.empty() ? no(fmt::format("no delivery {} is under way", delivery))
                        : ControlAnswer{true, text};
}

// In the order in which they were begun.
std::string Sender::running_text() const {
    std::vector<RunningKey> keys;
    for (const auto& [key, running] : running_) keys.push_back(key);
    std::sort(keys.begin(), keys.end(),
              [](const RunningKey& a, const RunningKey& b) { return a.delivery < b.delivery; });
    std::string text = exiting_ ? "qmail-send is ending: it starts no delivery\n" : "";
    for (std::size_t i = 0; i < keys.size() && i < deliveries_shown; ++i) text += delivery_text(keys[i]);
    if (keys.size() > deliveries_shown) text += fmt::format("and {} more\n", keys.size() - deliveries_shown);
    return text;
}

std::string Sender::statistics() {
    std::string text;
    const auto number = [&](std::string_view name, std::uint64_t value) {
        text += fmt::format("{} {}\n", name, value);
    };
    number("known", known_.size());
    number("loaded", window_.size());
    number("read", next_load_ - 1);
    number("new", known_.count(Place::fresh));
    number("waiting", known_.count(Place::due));
    number("waiting-for-destination", known_.count(Place::parked));
    number("held", known_.count(Place::held));
    number("later", known_.count(Place::later));
    number("damaged", known_.count(Place::damaged));
    number("waiting-for-old-deliveries", known_.count(Place::elsewhere));
    number("local-running", local_.lane.running());
    number("local-limit", local_.lane.concurrency());
    number("remote-running", remote_.lane.running());
    number("remote-limit", remote_.lane.concurrency());
    number("window-octets", new_octets_ + old_octets_);
    number("huge-octets", huge_octets_);
    number("destinations", local_.lane.size() + remote_.lane.size());
    if (scan_split_ < queue::split_count) number("directories-to-scan", queue::split_count - scan_split_);
    if (const auto due = known_.next_due()) number("seconds-to-next-try", *due > now() ? *due - now() : 0);
    std::size_t shown = 0;
    for (const Side* side : {&local_, &remote_})
        for (const DestinationPtr& destination : side->lane.destinations()) {
            if (++shown > destinations_shown) return text;
            text +=
                fmt::format("destination {}: {} running, {} queued, {} waiting", one_line(destination->name),
                            destination->running, destination->queued(), side->lane.parked(*destination));
            if (const double usual = destination->share->usual_milliseconds; usual > 0)
                text += fmt::format(", usually {:.0f} ms", usual);
            if (Lane::backs_off(*destination, now()))
                text +=
                    fmt::format(", in back-off for {}: {}", span(destination->share->backoff_until - now()),
                                one_line(destination->share->reason));
            text += "\n";
        }
    return text;
}

std::string Sender::why(queue::MessageId id) {
    const KnownMessages::Entry& entry = *known_.find(id);
    if (entry.place == Place::damaged) return "it is damaged: footer or checksum are wrong\n";
    const auto found = window_.find(id);
    if (found == window_.end()) {
        queue::StoredMessage message;
        if (store_.load(id, message, false) != queue::Load::whole) return "it cannot be read\n";
        return entry.place == Place::later ? queue::release_text(message) + "\n"
                                           : why_waiting(message, entry);
    }
    const Active& active = *found->second;
    std::string text;
    if (active.stored.status.hold) text += "held as soon as its running deliveries have ended\n";
    if (active.running > 0)
        text += fmt::format(
            "{} being delivered to now\n",
            active.running == 1 ? "1 recipient is" : fmt::format("{} recipients are", active.running));
    text += still_running_text(id);
    if (active.stage == Stage::telling || active.stage == Stage::bouncing)
        text += "its bounce is being submitted\n";
    if (active.stage == Stage::stalled || active.stage == Stage::ending)
        text += "the disk refused a write: it will be tried again within a minute\n";
    if (active.failing > 0)
        text += fmt::format("the failure of {} recipients is being recorded\n", active.failing);
    if (active.planned > 0)
        text +=
            fmt::format("{} recipients wait for their turn: a message has some at a time\n", active.planned);
    if (active.queued > 0) {
        text += fmt::format(
            "{} queued for delivery\n",
            active.queued == 1 ? "1 recipient is" : fmt::format("{} recipients are", active.queued));
        for (const Side* side : {&local_, &remote_})
            if (side->lane.running() >= side->lane.concurrency())
                text += fmt::format("concurrency{} is used up\n", name_of(side->channel));
        text += why_waiting(active.stored, entry);
    }
    return text;
}

// For each destination of its open recipients: what keeps mail for it.
std::string Sender::why_waiting(const queue::StoredMessage& message, const KnownMessages::Entry& entry) {
    std::string text;
    if (entry.place == Place::held) return held_text(message.id);
    if (entry.place == Place::fresh)
        text += fmt::format("new: it is in line behind at most {} other new messages\n", fresh_.size());
    if (entry.place == Place::due) {
        const std::int64_t left = entry.when > now() ? entry.when - now() : 0;
        text += fmt::format("next try in {}, at {} GMT\n", span(left), date_gmt(wall() + left));
    }
    if (entry.place == Place::parked) text += "waits for its destination\n";
    if (std::find(huge_waiting_.begin(), huge_waiting_.end(), message.id) != huge_waiting_.end())
        text += "it has very many recipients, and waits until another such message has left\n";
    text += still_running_text(message.id);
    if (exiting_) text += "qmail-send is ending: it starts no delivery\n";
    if (message.status.tries > 0 && !message.status.last_error.empty())
        text +=
            fmt::format("tried {}, last error: {}\n",
                        message.status.tries == 1 ? "once" : fmt::format("{} times", message.status.tries),
                        one_line(message.status.last_error));
    std::set<std::string> seen;
    std::size_t looked_at = 0;
    for (const queue::Recipient& recipient : message.envelope.recipients) {
        if (seen.size() >= destinations_shown || looked_at >= recipients_looked_at) break;
        if (recipient.mark != queue::Mark::to_do) continue;
        ++looked_at;
        const Route route = rewrite(settings_.rules, recipient.address);
        const std::string name = destination_name(route);
        if (!seen.insert(name).second) continue;
        const Destination* const destination = side_of(route.channel).lane.find(name);
        if (destination == nullptr) continue;  // nothing keeps mail for it
        const Share& share = *destination->share;
        if (Lane::backs_off(*destination, now()))
            text += fmt::format("destination {} is in back-off for {}: {}\n", one_line(name),
                                span(share.backoff_until - now()), one_line(share.reason));
        else if (share.rate_until > now())
            text += fmt::format(
                "destination {} has had what control/destinationlimits allows for now: next message in {}\n",
                one_line(name), span(share.rate_until - now()));
        else if (share.limits.connections > 0 && share.running >= share.limits.connections)
            text +=
                fmt::format("destination {} has the {} deliveries that control/destinationlimits allows\n",
                            one_line(name), share.limits.connections);
        else if (share.probing)
            text += fmt::format("destination {} could not be reached: one delivery is trying it again\n",
                                one_line(name));
        else if (share.stranger && destination->queued() > 0)
            text += fmt::format(
                "destination {} has never taken a message, or let the last one hang: one delivery at a time, "
                "and all such destinations have half of the {} places\n",
                one_line(name), remote_.lane.concurrency());
        else if (destination->queued() > 0)
            text += fmt::format(
                "destination {} has {} deliveries running{} and {} queued\n", one_line(name), share.running,
                route.is_local()
                    ? ""
                    : fmt::format(" of {} that it may have now,", static_cast<unsigned>(share.limit)),
                destination->queued());
    }
    return text;
}

}  // namespace relais::send
