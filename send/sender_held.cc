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

}  // namespace

void Sender::keep_held(const Active& active) {
    const mail::EnvelopeOptions& options = active.stored.envelope.options;
    if (options.hold && options.submitter.kind == mail::Submitter::Kind::stranger)
        held_strangers_.insert(active.id());
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

std::string Sender::held_text(queue::MessageId id) const {
    std::string text = "held: it is tried when somebody releases it\n";
    if (settings_.hold_lifetime > 0 && held_strangers_.contains(id))
        text += fmt::format("it came from a stranger: if nobody does, it ends without a bounce at {} GMT\n",
                            date_gmt(birth_of(id) + settings_.hold_lifetime));
    return text;
}

}  // namespace relais::send
