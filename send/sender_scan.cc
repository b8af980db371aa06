// How qmail-send learns of messages, by hints, scans and what tools noted, and of the time.
#include <algorithm>

#include "base/error.h"
#include "send/active.h"

namespace relais::send {
namespace {

// Of a scan: what one read of a directory gives takes less than a millisecond.
constexpr std::size_t names_at_once = 500;
constexpr double first_tries_per_second = 200;
constexpr std::uint32_t clock_interval = 600;

}  // namespace

void Sender::set_time(std::uint64_t wall_microseconds, std::uint64_t monotonic_milliseconds) {
    wall_us_ = wall_microseconds;
    if (started_us_ == 0) started_us_ = wall_us_;
    // Second 0 means "no time" in a few places.
    monotonic_ms_ = monotonic_milliseconds + 1000;
    const auto seconds = static_cast<std::int64_t>(monotonic_ms_ / 1000);
    if (!clock_) remember_clock(seconds);
    const std::int64_t jump = clock_->observe(wall(), seconds);
    if (jump != 0 || now() >= keep_clock_at_) keep_clock();
    if (jump == 0) return;
    out_.log("warning: the clock jumped by " + std::to_string(jump) +
             " seconds; no message expires for the time that this seems to add");
}

void Sender::remember_clock(std::int64_t monotonic) {
    clock_.emplace(wall(), monotonic);
    try {
        const std::int64_t apart = clock_->resume(store_.read_clock(), wall());
        if (apart == 0) return;
        out_.log("warning: the clock stands " + std::to_string(apart) +
                 " seconds from where the last qmail-send saw it; no message expires for that time");
    } catch (const Error& error) {
        out_.log(alert_text(error));
    }
}

void Sender::keep_clock() {
    keep_clock_at_ = now() + clock_interval;
    try {
        store_.keep_clock(clock_->memory(wall()));
    } catch (const Error& error) {
        if (!std::exchange(clock_refused_, true)) out_.log(alert_text(error));  // it is advice only
    }
}

void Sender::hint(queue::MessageId id) {
    if (id == 0) return start_scan();
    const bool is_new = known_.insert(id);
    KnownMessages::Entry& entry = *known_.find(id);
    // A scan may have met it while it was still being written: it is whole now.
    const bool was_unfinished = !is_new && (entry.place == Place::due || entry.place == Place::damaged) &&
                                !entry.hinted && !entry.verified;
    entry.hinted = true;
    if (was_unfinished) entry.place = Place::fresh;
    if (is_new || was_unfinished) fresh_.push_back(id);
}

void Sender::try_noted() {
    try {
        for (const queue::MessageId id : store_.take_retries()) {
            if (known_.insert(id)) fresh_.push_back(id);
            known_.find(id)->forced = true;
        }
    } catch (const Error& error) {
        out_.log(alert_text(error));  // they are tried by the schedule
    }
}

bool Sender::scan_step() {
    if (scan_split_ == queue::split_count) {
        if (!std::exchange(scan_again_, false)) return false;
        scan_split_ = 0;
    }
    bool more = false;
    try {
        if (!scan_) scan_.emplace(store_.directory_scan(scan_split_));
        more = scan_->next(names_at_once, [this](queue::MessageId id) {
            found(id);
            return true;
        });
    } catch (const Error& error) {
        out_.log(alert_text(error));
        // The rest of the queue first; this directory when the next scan comes.
    }
    if (more) return true;
    scan_.reset();
    if (++scan_split_ == queue::split_count && std::exchange(first_scan_, false)) spread_first_tries();
    return scan_split_ < queue::split_count || scan_again_;
}

void Sender::found(queue::MessageId id) {
    if (!known_.insert(id)) return;
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    const auto birth = static_cast<std::int64_t>(id / 1'000'000);
    const std::int64_t pause = first_scan_ ? seconds_to_first_try(birth, wall(), random_ >> 33) : 0;
    if (pause == 0)
        fresh_.push_back(id);
    else
        known_.schedule(*known_.find(id), now() + static_cast<std::uint32_t>(pause));
}

// Where ten minutes are too short for all that waits, its first tries would cost the new mail beside them
// more than they do ever after.
void Sender::spread_first_tries() {
    const double factor =
        static_cast<double>(known_.count(Place::due)) / (start_spread * first_tries_per_second);
    if (factor <= 1) return;
    known_.reschedule([&](queue::MessageId id, std::uint32_t when) {
        if (when <= now()) return when;
        const std::int64_t most =
            seconds_to_next_try(static_cast<std::int64_t>(id / 1'000'000), wall(), Channel::remote);
        return now() +
               static_cast<std::uint32_t>(std::min((when - now()) * factor, static_cast<double>(most)));
    });
}

}  // namespace relais::send
