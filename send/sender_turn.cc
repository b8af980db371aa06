// How what waits for a domain has its turn (RFC 1985): its destinations back off no more, what is parked
// there goes on, and of what waits for its time each message with an open recipient there is due now.
// Messages whose recipients are not known are read for that, some at a time.
#include <algorithm>

#include "base/error.h"
#include "base/idna.h"
#include "mail/address.h"
#include "send/active.h"

namespace relais::send {
namespace {

// Of those that wait: a read takes some 50 microseconds.
constexpr std::size_t messages_at_once = 50;

}  // namespace

// domain: as comparable() has it. While one is looked for, others wait until that is done.
void Sender::turn(const std::string& domain) {
    out_.log("turn: what waits for " + domain + " is tried now");
    for (const DestinationPtr& destination : remote_.lane.destinations()) {
        if (comparable(destination->name) != domain) continue;
        remote_.lane.forget_backoff(destination);
        remote_.lane.call_parked(*destination);
    }
    turns_waiting_.insert(domain);
}

bool Sender::turn_step() {
    if (turn_left_.empty()) {
        turns_.clear();
        if (turns_waiting_.empty()) return false;
        turns_ = std::exchange(turns_waiting_, {});
        turn_left_ = known_.ids(Place::due);
    }
    for (std::size_t i = 0; i < messages_at_once && !turn_left_.empty(); ++i) {
        const queue::MessageId id = turn_left_.back();
        turn_left_.pop_back();
        KnownMessages::Entry* const entry = known_.find(id);
        if (entry == nullptr || entry->place != Place::due || !has_turn(id, *entry)) continue;
        entry->forced = true;
        known_.schedule(*entry, now());
    }
    return true;
}

bool Sender::has_turn(queue::MessageId id, const KnownMessages::Entry& entry) const {
    if (entry.destination != 0) {
        const Destination* const destination = remote_.lane.numbered(entry.destination);
        if (destination != nullptr) return turns_.contains(comparable(destination->name));
    }
    queue::StoredMessage message;
    try {
        if (store_.load(id, message, false, nullptr, huge_envelope) != queue::Load::whole) return false;
    } catch (const Error&) {
        return false;  // it is met again when its time comes
    }
    const queue::Recipients& recipients = message.envelope.recipients;
    for (std::size_t i = 0; i < recipients.size(); ++i)
        if (recipients.mark(i) == queue::Mark::to_do &&
            turns_.contains(comparable(mail::split_address(recipients.address(i)).domain)))
            return true;
    return false;
}

}  // namespace relais::send
