// Messages that are held until somebody releases them. What a decision has held of a stranger's mail is not
// kept for good: a bounce would go to whoever was forged.
#include <fmt/core.h>

#include "base/error.h"
#include "base/time.h"
#include "send/active.h"
#include "send/log_text.h"

namespace relais::send {
namespace {

constexpr std::uint32_t between_looks = 60;
// At one look: each costs the disk something, and other mail waits meanwhile.
constexpr int ended_at_once = 200;

std::int64_t birth_of(queue::MessageId id) {
    return static_cast<std::int64_t>(id / 1'000'000);
}

// Whether nothing has become of it since a decision held it: whoever has released it once, or holds it by
// hand, has seen it, and what has failed is owed a bounce.
bool may_end(const queue::StoredMessage& message) {
    const queue::Status& status = message.status;
    const mail::EnvelopeOptions& options = message.envelope.options;
    if (!status.hold || status.by_hand || status.tries > 0 || !options.hold ||
        options.submitter.kind != mail::Submitter::Kind::stranger)
        return false;
    const queue::Recipients& recipients = message.envelope.recipients;
    for (std::size_t i = 0; i < recipients.size(); ++i)
        if (recipients.mark(i) != queue::Mark::to_do) return false;
    return true;
}

// Read anew, for it is lost after this.
bool may_end_now(const queue::Store& store, queue::MessageId id) {
    queue::StoredMessage message;
    return store.load(id, message, false) == queue::Load::whole && may_end(message) &&
           !store.read_bounce(id, 1);
}

}  // namespace

void Sender::keep_held(const Active& active) {
    if (may_end(active.stored))
        held_strangers_.insert(active.id());
    else
        held_strangers_.erase(active.id());
}

void Sender::end_held() {
    look_at_held_ = now() + between_looks;
    if (settings_.hold_lifetime == 0 || !clock_) return;
    for (int ended = 0; ended < ended_at_once && !held_strangers_.empty(); ++ended) {
        const queue::MessageId id = *held_strangers_.begin();
        if (clock_->age(birth_of(id), wall()) < settings_.hold_lifetime) return;
        const KnownMessages::Entry* entry = known_.find(id);
        // Released meanwhile.
        if (entry == nullptr || entry->place != Place::held) {
            held_strangers_.erase(id);
            continue;
        }
        try {
            if (!may_end_now(store_, id)) {
                held_strangers_.erase(id);
                continue;
            }
            store_.remove(id);
        } catch (const Error& error) {
            return out_.log(alert_text(error));
        }
        out_.tell(
            Event("expire", fmt::format("warning: msg {} was held for {} days, and ends without a bounce", id,
                                        settings_.hold_lifetime / 86400))
                .with("msg", id));
        forget(id);
        out_.tell(Event("end", fmt::format("end msg {}", id)).with("msg", id));
    }
}

ControlAnswer Sender::hold(queue::MessageId id) {
    const auto found = window_.find(id);
    if (found == window_.end()) {
        Active* active = load(id, false);
        if (active == nullptr) return {false, "the message cannot be read"};
        known_.find(id)->place = Place::held;
        active->stored.status.hold = active->stored.status.by_hand = true;
        store_.write_status(active->stored);
        keep_held(*active);
        leave_window(id);
        return {true, {}};
    }
    Active& active = *found->second;
    active.stored.status.hold = active.stored.status.by_hand = true;
    store_.write_status(active.stored);
    drop_queued(active);
    settle(active);
    return {true, {}};
}

ControlAnswer Sender::release(queue::MessageId id) {
    KnownMessages::Entry& entry = *known_.find(id);
    const auto found = window_.find(id);
    if (found != window_.end()) {
        found->second->stored.status.hold = found->second->stored.status.by_hand = false;
        store_.write_status(found->second->stored);
        return {true, {}};
    }
    if (entry.place != Place::held) {
        send_early(id);
        return {true, {}};
    }
    queue::StoredMessage message;
    if (store_.load(id, message, false) != queue::Load::whole) return {false, "the message cannot be read"};
    message.status.hold = message.status.by_hand = false;
    store_.write_status(message);
    known_.schedule(entry, now());
    return {true, {}};
}

std::string Sender::held_text(queue::MessageId id) const {
    std::string text = "held: it is tried when somebody releases it\n";
    if (settings_.hold_lifetime > 0 && held_strangers_.contains(id))
        text += fmt::format("it came from a stranger: if nobody does, it ends without a bounce at {} GMT\n",
                            date_gmt(birth_of(id) + settings_.hold_lifetime));
    return text;
}

}  // namespace relais::send
