#include "send/sender.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"
#include "metrics/count.h"
#include "send/active.h"

namespace relais::send {
namespace {

// Work between two looks at the events: keeps reports and signals from waiting for a long line of messages.
constexpr int loads_at_once = 64;
// With the jobs that are made at once; beside the envelope's own octets.
constexpr std::size_t octets_of_message = 1024;
constexpr std::size_t octets_of_recipient = 16;
// Its hint comes when it is whole, unless the pipe is full then.
constexpr std::uint32_t unfinished_pause = 5;
// What is not whole, though nobody writes it, is looked at twice: its writer may have died this moment, and
// then qmail-queued removes it.
constexpr std::uint32_t second_look_pause = 15;
// Files that stay open from loading to the first delivery.
constexpr std::size_t kept_files_limit = 100;

}  // namespace

std::string alert_text(const std::exception& error) {
    std::string text = error.what();
    std::replace(text.begin(), text.end(), '\n', '/');
    return "alert: " + text;
}

// Keeps the counts true: the only place where a state changes.
void Sender::Active::set(std::uint32_t recipient, RecipientState to) {
    RecipientState& state = states[recipient];
    const auto count = [this](RecipientState of, std::uint32_t by) {
        if (of == RecipientState::planned) planned += by;
        if (of == RecipientState::queued) queued += by;
        if (of == RecipientState::running) running += by;
        if (of == RecipientState::elsewhere) elsewhere += by;
        if (of == RecipientState::failing) failing += by;
        if (of == RecipientState::failed) failed += by;
        if (of == RecipientState::deferred) deferred += by;
        if (of != RecipientState::failed && of != RecipientState::done) remaining += by;
    };
    count(state, ~std::uint32_t{0});
    count(to, 1);
    state = to;
}

Sender::Sender(const control::Home& home, Settings settings, Outlets& outlets, std::uint64_t random_seed)
    : store_(home),
      out_(outlets),
      random_(random_seed | 1),
      known_destinations_(queue::destinations_path(home), random_seed) {
    remote_.lane.tell_strangers_by(
        [this](std::string_view name) { return known_destinations_.contains(name); });
    reload(std::move(settings));
}

Sender::~Sender() = default;

void Sender::reload(Settings settings) {
    settings_ = std::move(settings);
    ++rules_;
    local_.lane.set_concurrency(settings_.concurrency_local);
    remote_.lane.set_concurrency(settings_.concurrency_remote);
    remote_.lane.set_limits(settings_.limits);
}

bool Sender::work() {
    if (exiting_ || lists_missing_ > 0) return false;
    if (!stalled_.empty()) retry_stalled();
    if (look_at_held_ <= now()) end_held();
    ring_alarms();
    if (!tell_.empty()) tell_what_has_gathered();
    for (Side* side : {&local_, &remote_}) {
        side->lane.purge(now());
        if (side->lane.next_wake() == 0 || side->lane.next_wake() > now()) continue;
        side->lane.wake(now());
    }
    const bool more_to_load = admit();
    const bool more_to_place = take_turns();
    const bool more_local = start_deliveries(local_);
    const bool more_remote = start_deliveries(remote_);
    return std::exchange(rerouted_, false) || more_to_load || more_to_place || more_local || more_remote;
}

unsigned Sender::seconds_to_next() {
    std::uint32_t at = now() + 60;
    if (const auto due = known_.next_due()) at = std::min(at, *due);
    if (!stalled_.empty()) at = std::min(at, stalled_.begin()->first);
    if (!tell_.empty()) at = std::min(at, tell_.begin()->first);
    if (!alarms_.empty())
        at = std::min(at, now() + static_cast<std::uint32_t>(
                                      std::clamp<std::int64_t>(alarms_.begin()->first - wall(), 1, 60)));
    for (const Side* side : {&local_, &remote_})
        if (side->lane.next_wake() != 0) at = std::min(at, side->lane.next_wake());
    return at > now() ? at - now() : 1;
}

// New mail and old mail cannot push each other out.
bool Sender::room_for(bool is_new) const {
    return new_octets_ + old_octets_ < window_limit &&
           (is_new ? new_octets_ : old_octets_) < window_limit / 4 * 3;
}

bool Sender::admit() {
    bool more = false;
    int loads = 0;
    for (; loads < loads_at_once && !fresh_.empty() && room_for(true); ++loads) {
        const queue::MessageId id = fresh_.front();
        fresh_.pop_front();
        const KnownMessages::Entry* entry = known_.find(id);
        if (entry != nullptr && entry->place == Place::fresh) take_up(id, true);
    }
    more = loads == loads_at_once;
    for (Side* side : {&local_, &remote_}) more = admit_parked(*side) || more;
    for (loads = 0; loads < loads_at_once && room_for(false); ++loads) {
        const auto id = known_.take_due(now());
        if (!id) return more;
        if (!park_unread(*id)) take_up(*id, false);
    }
    return more || loads == loads_at_once;
}

// Parked mail comes back when its destination has room again.
bool Sender::admit_parked(Side& side) {
    for (int loads = 0; loads < loads_at_once && room_for(false);) {
        const auto parked = side.lane.next_parked(now());
        if (!parked) return false;
        const KnownMessages::Entry* entry = known_.find(parked->id);
        if (entry == nullptr || !entry->is_parked_at(parked->destination)) continue;
        ++loads;
        take_up(parked->id, false);
    }
    return room_for(false);
}

// Mail for a destination that could not take it now need not be read for that: it waits there until it is
// called, so that each message is read once for each try.
bool Sender::park_unread(queue::MessageId id) {
    KnownMessages::Entry& entry = *known_.find(id);
    const DestinationPtr destination =
        entry.destination == 0 ? nullptr : remote_.lane.numbered(entry.destination);
    if (!destination || entry.forced) return false;
    if (age(id) > settings_.queue_lifetime) return false;
    if (!entry.warned && is_delayed(id)) return false;
    if (remote_.lane.has_room(*destination, now(), is_urgent(id))) return false;
    if (is_urgent(id)) {
        wait_urgently(entry, *destination);
        return true;
    }
    entry.park_at(destination->number);
    remote_.lane.park(destination, id, now());
    return true;
}

// envelope_most: one with a larger envelope waits until another such message has left.
Sender::Active* Sender::load(queue::MessageId id, bool is_new, std::uint64_t envelope_most) {
    KnownMessages::Entry& entry = *known_.find(id);
    auto active = std::make_unique<Active>();
    queue::Load result = queue::Load::missing;
    try {
        // What qmail-queued has just synced needs no look at its checksum.
        result = store_.load(id, active->stored, !entry.verified && !entry.hinted,
                             kept_files_ < kept_files_limit ? &active->file : nullptr, envelope_most);
    } catch (const Error& error) {
        out_.log(alert_text(error));
        postpone(id, disk_pause);
        return nullptr;
    }
    if (result == queue::Load::missing) {
        forget(id);
        return nullptr;
    }
    if (result == queue::Load::unfinished) {
        known_.schedule(entry, now() + unfinished_pause);
        return nullptr;
    }
    if (result == queue::Load::large) {
        wait_for_huge(id, entry);
        return nullptr;
    }
    if (result == queue::Load::damaged || result == queue::Load::another_version) {
        found_damaged(id, entry, result);
        return nullptr;
    }
    entry.verified = true;
    entry.place = Place::active;
    if (active->file) ++kept_files_;
    active->had_failures = !is_new || !entry.hinted || id <= started_us_;
    active->is_new = is_new;
    active->load = next_load_++;
    note_times(active->stored);
    active->dying = age(id) > settings_.queue_lifetime;
    const auto& recipients = active->stored.envelope.recipients;
    active->states.assign(recipients.size(), RecipientState::done);
    active->channels.assign(recipients.size(), Channel::remote);
    active->octets = octets_of_message + recipients.octets().size() + octets_of_recipient * recipients.size();
    for (std::uint32_t i = 0; i < recipients.size(); ++i) {
        if (recipients.mark(i) == queue::Mark::to_do) active->set(i, RecipientState::open);
        if (recipients.mark(i) == queue::Mark::failed) active->set(i, RecipientState::failed);
    }
    active->is_huge = active->stored.status_offset - active->stored.message_size > huge_envelope;
    claim_recipients(*active);
    entry.warned = was_warned(*active);
    octets_beside(*active) += active->octets;
    return (window_[id] = std::move(active)).get();
}

void Sender::take_up(queue::MessageId id, bool is_new) {
    Active* active = load(id, is_new, envelope_most());
    if (active == nullptr) return;
    KnownMessages::Entry& entry = *known_.find(id);
    if (is_new) log_arrival(*active);
    const bool forced = entry.forced;
    if (active->stored.status.hold) {
        entry.place = Place::held;
        keep_held(*active);
        return leave_window(id);
    }
    if (keep_until_release(*active, entry)) return leave_window(id);
    entry.forced = false;
    if (is_overdue(*active)) return give_back(*active);
    distribute(*active, forced);
}

void Sender::found_damaged(queue::MessageId id, KnownMessages::Entry& entry, queue::Load found) {
    if (!entry.hinted && !entry.forced) {
        entry.forced = true;
        known_.schedule(entry, now() + second_look_pause);
        return;
    }
    entry.place = Place::damaged;
    out_.log("alert: message " + std::to_string(id) +
             (found == queue::Load::damaged ? " is damaged: footer or checksum are wrong"
                                            : " was written by another version of relais") +
             "; it is left alone, as " + store_.path(id));
}

// Only for a message that nobody has tried: what a restart finds has been announced before.
void Sender::log_arrival(const Active& active) {
    const queue::Envelope& envelope = active.stored.envelope;
    if (active.stored.status.tries > 0 || active.remaining < active.states.size()) return;
    const std::string id = std::to_string(active.id());
    metrics::count("send.new");
    metrics::count("send.octets", active.stored.message_size);
    out_.tell(Event("new", "new msg " + id).with("msg", active.id()));
    const std::string qp = envelope.pid != 0 ? std::to_string(envelope.pid) : id;
    out_.tell(
        Event("info", "info msg " + id + ": bytes " + std::to_string(active.stored.message_size) + " from <" +
                          safe_for_log(envelope.sender) + "> qp " + qp + " uid " +
                          std::to_string(envelope.uid) +
                          (envelope.options.session.empty() ? "" : " session " + envelope.options.session))
            .with("msg", active.id())
            .with("bytes", active.stored.message_size)
            .with("sender", envelope.sender)
            .with("qp", qp)
            .with("uid", envelope.uid)
            .with("session", envelope.options.session));
}

void Sender::leave_window(queue::MessageId id) {
    const auto found = window_.find(id);
    if (found == window_.end()) return;
    octets_beside(*found->second) -= found->second->octets;
    if (found->second->file) --kept_files_;
    const bool was_huge = found->second->is_huge;
    window_.erase(found);
    if (was_huge) call_huge();
}

void Sender::forget(queue::MessageId id) {
    leave_window(id);
    told_.erase(id);
    held_strangers_.erase(id);
    forget_times(id);
    known_.erase(id);
}

void Sender::postpone(queue::MessageId id, std::uint32_t seconds) {
    leave_window(id);
    if (KnownMessages::Entry* entry = known_.find(id)) known_.schedule(*entry, now() + seconds);
}

void Sender::flush() {
    start_scan();  // for what somebody has put there by hand
    for (Side* side : {&local_, &remote_}) {
        for (const DestinationPtr& destination : side->lane.destinations())
            side->lane.forget_backoff(destination);
        side->lane.forget_parked();
    }
    known_.schedule_all(now());
    decltype(stalled_) all;
    for (const auto& [when, id] : stalled_) all.emplace(now(), id);
    stalled_ = std::move(all);
}

void Sender::exit_soon() {
    if (std::exchange(exiting_, true)) return;
    if (clock_) keep_clock();
    log_status();
}

void Sender::hand_over() {
    handing_over_ = true;
    exit_soon();
}

void Sender::channel_lost(Channel channel) {
    std::erase_if(running_,
                  [&](const auto& item) { return item.second.channel == channel && item.second.from == 0; });
    exit_soon();
}

void Sender::count_queue() const {
    const auto counts = known_.counts();
    // In the order of Place.
    constexpr std::array<std::string_view, counts.size()> names = {"new",  "waiting", "destination", "active",
                                                                   "held", "damaged", "elsewhere",   "later"};
    for (std::size_t i = 0; i < counts.size(); ++i) metrics::set("send.queue", names[i], counts[i]);
    metrics::set("send.looked", static_cast<std::uint64_t>(wall()));
}

void Sender::log_status() {
    for (const Side* side : {&local_, &remote_}) {
        metrics::set("send.running", name_of(side->channel), side->lane.running());
        metrics::set("send.limit", name_of(side->channel), side->lane.concurrency());
    }
    out_.tell(Event("status", "status: local " + std::to_string(local_.lane.running()) + "/" +
                                  std::to_string(local_.lane.concurrency()) + " remote " +
                                  std::to_string(remote_.lane.running()) + "/" +
                                  std::to_string(remote_.lane.concurrency()) + (exiting_ ? " exitasap" : ""))
                  .with("local", local_.lane.running())
                  .with("local_limit", local_.lane.concurrency())
                  .with("remote", remote_.lane.running())
                  .with("remote_limit", remote_.lane.concurrency())
                  .with("exiting", exiting_ ? "yes" : ""));
}

}  // namespace relais::send
