// Who is next: one queue per destination, the destinations in turn. A Lane is one channel (local or remote)
// with its concurrency. Pure: time comes as a parameter, in seconds on the monotonic clock.
//
// Destinations that resolve to the same servers share one Share: its limit grows while deliveries succeed,
// shrinks when they fail or slow down, and when no server can be reached it backs off as a whole; then one
// delivery tries again. New mail, mail that has been tried, and what a message has beyond its first jobs have
// lines of their own, which take turns: none waits for another. A share may have three times as many
// deliveries as there are places left free: alone three quarters of the concurrency, and however many there
// are of them, a newcomer finds a place. A share that has never taken a message is a stranger: it has one
// place, and all strangers together have half of them. So has one that has let a delivery hang, until the
// next success. However many servers there are that accept and say nothing, mail for others goes out.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/destination_limits.h"
#include "queue/store.h"
#include "send/parking.h"

namespace relais::send {

struct Destination;

// Lines of jobs: of new mail, of mail that has been tried, of many recipients.
inline constexpr std::size_t line_count = 3;
inline constexpr std::uint8_t bulk_line = 2;

// What destinations with the same servers have in common.
struct Share {
    double limit = 1;
    unsigned running = 0;
    std::uint32_t backoff_until = 0;  // 0: none
    std::uint32_t backoff_span = 0;
    bool probing = false;  // after a back-off: nobody knows yet whether it lives
    bool stranger = false;
    std::string reason;  // why it backs off
    double usual_milliseconds = 0;
    // Of each line: those that have jobs, in turn. A list that is empty takes no memory of its own.
    std::array<std::list<Destination*>, line_count> ready;
    std::array<bool, 2 * line_count> in_ring{};
    std::uint32_t members = 0;
    // control/destinationlimits: what keeps those of all members.
    control::DestinationLimit limits;
    double tokens = 1;  // messages that the rate allows now
    std::uint32_t tokens_at = 0;
    std::uint32_t rate_until = 0;  // no token before
    bool resting = false;
};

// One order to come: recipients of one message, by their index in its envelope.
struct Job {
    queue::MessageId message = 0;
    std::uint32_t load = 0;  // which loading of the message; an older one is void
    std::vector<std::uint32_t> recipients;
    std::uint8_t line = 0;    // 0: new mail, 1: mail that has been tried, or bulk_line
    std::uint32_t rules = 0;  // which version of the rules led here
    int priority = 0;         // -9 to 9 (RFC 6710)
    std::uint32_t since = 0;  // when it came into its line

    bool is_urgent() const { return priority > 0; }
    // Among those of a destination's line the smallest is next: a step of priority counts as a minute of
    // waiting, so nobody is overtaken by what comes more than 18 minutes later.
    std::int64_t rank() const { return std::int64_t{since} - 60 * priority; }
};

struct Destination {
    std::string name;          // lower case
    std::uint32_t number = 0;  // of its parked messages
    Share* share = nullptr;
    std::array<std::list<Job>, line_count> jobs;
    std::array<bool, line_count> in_ready{};
    unsigned running = 0;
    std::size_t urgent = 0;  // of its jobs

    std::size_t queued() const { return jobs[0].size() + jobs[1].size() + jobs[2].size(); }
};
// Its lane has it as long as something of it waits or runs, or it backs off.
using DestinationPtr = Destination*;

// How a delivery went, as far as the destination is concerned.
struct Verdict {
    enum class Kind { success, refused, temporary, unreachable } kind = Kind::success;
    std::uint32_t milliseconds = 0;
    std::string mx_group;
    std::string reason;
    bool delivered = false;  // somebody there has taken the message
};

class Lane {
  public:
    // adaptive: shares begin with a few deliveries and learn; otherwise only what is left free binds.
    Lane(unsigned concurrency, bool adaptive) : concurrency_(concurrency), adaptive_(adaptive) {}

    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;

    void set_concurrency(unsigned concurrency) { concurrency_ = concurrency; }
    void set_limits(control::DestinationLimits limits);
    // Says of a destination's name whether it has ever taken a message. Without it there are no strangers.
    void tell_strangers_by(std::function<bool(std::string_view)> is_known) {
        is_known_ = std::move(is_known);
    }
    unsigned concurrency() const { return concurrency_; }
    unsigned running() const { return running_; }
    // Destinations that it has, busy or not.
    std::size_t size() const { return destinations_.size(); }
    // Jobs of bulk_line that have not been begun.
    std::size_t waiting_bulk() const { return waiting_bulk_; }
    // True if others may need that destination's places: three quarters of all are taken, or a quarter of
    // those for strangers.
    bool is_crowded(const Destination& destination) const;

    // The destination of that name, made if there is none; in that group if one is named and it is new.
    DestinationPtr destination(std::string_view name, const std::string& group = {});
    // Nothing if there is none.
    const Destination* find(std::string_view name) const;
    // The destination with that number, if there still is one.
    DestinationPtr numbered(std::uint32_t number) const;
    static bool backs_off(const Destination& destination, std::uint32_t now) {
        return destination.share->backoff_until > now;
    }

    // True if another message may be read for it: it does not back off, and has few jobs; one whose back-off
    // is over needs one message to show whether it lives again. Urgent mail and other mail do not take each
    // other's room.
    bool has_room(const Destination& destination, std::uint32_t now, bool urgent = false) const;
    // True if it has as many jobs as may wait for one destination.
    static bool is_full(const Destination& destination);

    void add(const DestinationPtr& destination, Job job);
    // Gives back what next returned but could not be started; it comes first again.
    void put_back(const DestinationPtr& destination, Job job);
    // The next job in turn, counted as running until finished; nothing while none may run.
    struct Next {
        DestinationPtr destination;
        Job job;
    };
    std::optional<Next> next(std::uint32_t now);
    // Counts a delivery that another qmail-send has begun, until finished.
    void adopt(const DestinationPtr& destination);
    // For a job that turned out to be void.
    void dropped(const DestinationPtr& destination);
    // Learns from a delivery. True if the destination has just begun to back off.
    bool finished(const DestinationPtr& destination, const Verdict& verdict, std::uint32_t now);

    // Takes all jobs away (void ones too).
    std::list<Job> take_jobs(const DestinationPtr& destination);
    // Ends the back-off.
    void forget_backoff(const DestinationPtr& destination);
    // All that have waiting, parked or running mail, and those that back off.
    std::vector<DestinationPtr> destinations() const;

    // Lets a message wait at a destination without a place in the window, until call_parked or wake.
    void park(const DestinationPtr& destination, queue::MessageId id, std::uint32_t now);
    // Something there has ended: others may have room.
    void call_parked(const Destination& destination) { parking_.call(destination.number); }
    // A message whose destination has been called and has room, and that destination's number.
    struct Parked {
        std::uint32_t destination;
        queue::MessageId id;
    };
    std::optional<Parked> next_parked(std::uint32_t now);
    std::size_t parked(const Destination& destination) const { return parking_.count(destination.number); }
    std::vector<queue::MessageId> parked_at(const Destination& destination) const {
        return parking_.at(destination.number);
    }
    void forget_parked() { parking_.clear(); }

    // Lets those go on whose time has come: to be called when next_wake has.
    void wake(std::uint32_t now);
    // When the next back-off ends; 0: nothing waits for one.
    std::uint32_t next_wake() const { return next_wake_; }
    // Forgets destinations that have nothing to do, when there are very many.
    void purge(std::uint32_t now);

  private:
    void make_ready(const DestinationPtr& destination, std::size_t line);
    static std::size_t ring_of(const Share& share, std::size_t line) {
        return line + (share.stranger ? line_count : 0);
    }
    void enter_ring(Share& share, std::size_t line);
    void enter_rings(Share& share);
    void rest(Share& share, std::uint32_t until, std::uint32_t now);
    void leave_ready(const DestinationPtr& destination, std::size_t line);
    std::optional<Next> next_of(std::size_t ring, std::uint32_t now);
    unsigned places_for_strangers() const { return std::max(1U, concurrency_ / 2); }
    void set_stranger(Share& share, bool stranger);
    void count_running(Share& share, int change);
    bool may_run(const Share& share, std::uint32_t now) const;
    bool leaves_places(const Share& share) const {
        return share.running < free_factor * (concurrency_ - running_);
    }
    std::optional<Next> take_from(Share& share, std::size_t line, std::uint32_t now);
    void release(const DestinationPtr& destination);
    static void spend_token(Share& share, std::uint32_t now);
    static void give_back_token(Share& share);
    Share& new_share();
    void join_group(const DestinationPtr& destination, const std::string& group);
    void learn(Share& share, const Verdict& verdict, std::uint32_t now);
    void wake_at(std::uint32_t when);

    static constexpr unsigned free_factor = 3;

    unsigned concurrency_;
    bool adaptive_;
    unsigned running_ = 0;
    std::size_t waiting_bulk_ = 0;
    unsigned strangers_running_ = 0;
    std::function<bool(std::string_view)> is_known_;
    std::uint32_t next_number_ = 1;
    // Here alone destinations and shares are owned; purge ends them.
    std::unordered_map<std::string, std::unique_ptr<Destination>> destinations_;
    std::unordered_map<Share*, std::unique_ptr<Share>> shares_;
    std::unordered_map<std::uint32_t, Destination*> numbers_;
    std::unordered_map<std::string, Share*> groups_;
    // Shares with ready destinations, in turn: of each line, and the same of strangers. One
    // that may not run now is taken out: release brings it back, or wake. One that is in a ring and belongs
    // into another now is in both.
    std::array<std::deque<Share*>, 2 * line_count> rings_;
    std::size_t turn_ = 0;
    // Taken out for a time: back-off, or a rate that is used up.
    std::vector<Share*> resting_;
    control::DestinationLimits limits_;
    Parking parking_;
    std::uint32_t next_wake_ = 0;
    static constexpr std::size_t first_purge = 20'000;
    std::size_t purge_at_ = first_purge;
};

}  // namespace relais::send
