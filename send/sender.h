// The mind of qmail-send: which message is tried when, what its reports mean, when it ends. It knows no event
// loop and no process: time comes by set_time, orders and slow work leave by Outlets, answers come back as
// calls. The states of a message and the order of what must last are those of docs/internals.md.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "queue/store.h"
#include "send/control_protocol.h"
#include "send/delivery_protocol.h"
#include "send/known_destinations.h"
#include "send/known_messages.h"
#include "send/lane.h"
#include "send/outlets.h"
#include "send/schedule.h"

namespace relais::send {

// What the window of loaded messages may take, in octets; new mail and old mail may each have three quarters.
inline constexpr std::size_t window_limit = std::size_t{32} << 20;
// A message with a larger envelope is huge: it has no part in the window, so that it holds up no other mail.
// Beside one of them others are loaded as long as all of them take no more than this.
inline constexpr std::uint64_t huge_envelope = std::uint64_t{2} << 20;
inline constexpr std::size_t huge_limit = std::size_t{64} << 20;

class Sender {
  public:
    Sender(const control::Home& home, Settings settings, Outlets& outlets, std::uint64_t random_seed);
    ~Sender();

    // To be called before everything else, each time: microseconds of the wall clock, milliseconds of the
    // monotonic one.
    void set_time(std::uint64_t wall_microseconds, std::uint64_t monotonic_milliseconds);

    // A hint of qmail-queued; 0 asks for a scan.
    void hint(queue::MessageId id);
    void start_scan() { scan_again_ = true; }
    // What queue tools have asked for while qmail-send was down.
    void try_noted();
    // Looks at some more names if a scan is under way. True if there is more to scan.
    bool scan_step();

    // Loads what is due and starts what may run. True if there is more that can be done at once.
    bool work();
    // Seconds until something will be due; at most a minute.
    unsigned seconds_to_next();
    void report(Channel channel, const Report& report);
    // The spawner has ended: its deliveries count as never made.
    void channel_lost(Channel channel);

    // Deliveries of retired spawners, from: 1, 2, ... Nothing is loaded until as many lists as expected are
    // complete.
    void expect_lists(std::size_t count) { lists_missing_ = count; }
    void still_running(unsigned from, const UnderWay& delivery);
    void list_complete() { --lists_missing_; }
    void late_report(unsigned from, const Report& report);
    // That spawner has ended without a report of them: they are tried as after a crash.
    void retired_lost(unsigned from);
    void channel_writable(Channel channel) { side_of(channel).blocked = false; }
    void failure_recorded(queue::MessageId id, const std::string& trouble);
    // So many records and bounces that were asked for will not be answered: their messages are as they were.
    void not_done(std::size_t count) { under_way_ -= count; }
    void bounce_done(queue::MessageId id, const BounceResult& result);
    void reported(queue::MessageId id, ReportKind kind, const BounceResult& result);

    void reload(Settings settings);
    const Settings& settings() const { return settings_; }
    void flush();
    // What waits for that domain is tried now, as turn_step finds it.
    void turn(const std::string& domain);
    // Looks at some more messages. True if there are more to look at.
    bool turn_step();
    // No new deliveries; finished() when nothing is under way any more.
    void exit_soon();
    // The same, and another qmail-send takes what the spawners still have.
    void hand_over();
    bool exiting() const { return exiting_; }
    bool finished() const { return (handing_over_ || running_.empty()) && under_way_ == 0; }
    ControlAnswer control(const ControlRequest& request);
    void log_status();
    // Shows in the counters how many messages are where. O(n).
    void count_queue() const;

  private:
    struct Active;
    struct Side {
        Channel channel;
        Lane lane;
        bool blocked = false;
    };
    struct Running {
        Channel channel;
        queue::MessageId message;
        std::uint32_t load;
        DestinationPtr destination;
        std::vector<std::uint32_t> recipients;
        std::int64_t since = 0;        // unix seconds
        unsigned from = 0;             // which retired spawner has it; 0: one that takes orders
        std::uint64_t started_ms = 0;  // monotonic; only of those that take orders
    };
    // A delivery's number and who has it. A spawner whose list was given up may come back at the next
    // restart: its numbers have been used again by then.
    struct RunningKey {
        unsigned from;
        std::uint64_t delivery;
        auto operator<=>(const RunningKey&) const = default;
    };
    struct RunningHash {
        std::size_t operator()(const RunningKey& key) const {
            return std::hash<std::uint64_t>{}(key.delivery ^ std::uint64_t{key.from} << 48);
        }
    };
    using RunningMap = std::unordered_map<RunningKey, Running, RunningHash>;
    using RunningPlace = RunningMap::iterator;

    // sender_scan.cc: what is learnt of messages, and of the time
    void remember_clock(std::int64_t monotonic);
    void keep_clock();
    void found(queue::MessageId id);
    void spread_first_tries();

    // sender.cc: what comes into the window
    Side& side_of(Channel channel) { return channel == Channel::local ? local_ : remote_; }
    std::uint32_t now() const { return static_cast<std::uint32_t>(monotonic_ms_ / 1000); }
    std::int64_t wall() const { return static_cast<std::int64_t>(wall_us_ / 1'000'000); }
    bool room_for(bool is_new) const;
    bool admit();
    bool admit_parked(Side& side);
    bool park_unread(queue::MessageId id);
    Active* load(queue::MessageId id, bool is_new, std::uint64_t envelope_most = UINT64_MAX);
    void take_up(queue::MessageId id, bool is_new);
    void found_damaged(queue::MessageId id, KnownMessages::Entry& entry, queue::Load found);
    void log_arrival(const Active& active);
    void leave_window(queue::MessageId id);
    void forget(queue::MessageId id);
    void postpone(queue::MessageId id, std::uint32_t seconds);

    // sender_distribute.cc: which recipients get a destination when, and huge messages
    struct Group;
    struct Turn;
    void distribute(Active& active, bool forced);
    void plan_open(Active& active);
    void place_turn(Active& active, bool alone);
    bool gather(Active& active, Turn& turn);
    void place_recipients(Active& active, Group group, std::uint8_t line, bool single);
    bool take_turns();
    bool may_have_turn(const Active& active) const;
    std::size_t& octets_beside(const Active& active);
    std::uint64_t envelope_most() const;
    void wait_for_huge(queue::MessageId id, KnownMessages::Entry& entry);
    void call_huge();

    // sender_delivery.cc: orders and reports
    bool start_deliveries(Side& side);
    bool start(Side& side, const Lane::Next& next);
    bool is_current(const Lane::Next& next, const Active& active, Channel channel) const;
    bool send_order(Channel channel, std::uint64_t delivery, const Active& active, const Lane::Next& next,
                    const std::vector<Route>& routes, Fd message);
    Fd file_for_delivery(Active& active);
    std::uint64_t since(const Running& running) const;
    bool learn_from(Side& side, const Running& running, const Report& report);
    void conclude(Active& active, std::uint64_t delivery, const Running& running, const Report& report);
    void ask_for_bounce(Active& active);
    void leave_open(Active& active, const std::vector<std::uint32_t>& recipients, Channel channel,
                    const Destination& destination);
    void destination_backs_off(Side& side, const DestinationPtr& destination);

    // sender_held.cc: what is held until somebody releases it
    void keep_held(const Active& active);
    void end_held();
    ControlAnswer hold(queue::MessageId id);
    ControlAnswer release(queue::MessageId id);
    std::string held_text(queue::MessageId id) const;

    // sender_timed.cc: what is not tried before its time
    struct Times {
        std::int64_t beginning = 0;  // of its life: retries and queuelifetime count from then; unix seconds
        std::int64_t release = 0;    // not before; 0: at once
        std::int64_t due = 0;        // by when it is to be delivered; 0: whenever
        bool returns = false;        // and goes back then; else its sender is warned
        int priority = 0;
    };
    void note_times(const queue::StoredMessage& message);
    void forget_times(queue::MessageId id);
    std::int64_t beginning(queue::MessageId id) const;
    std::int64_t age(queue::MessageId id) const { return clock_->age(beginning(id), wall()); }
    bool keep_until_release(const Active& active, KnownMessages::Entry& entry);
    void set_alarm(std::int64_t when, queue::MessageId id) { alarms_.emplace(when, id); }
    void ring_alarms();
    bool is_overdue(const Active& active) const;
    static std::string overdue_text(const Active& active);
    void give_back(Active& active);
    void time_is_up(queue::MessageId id, KnownMessages::Entry& entry, const Times& times);
    bool is_urgent(queue::MessageId id) const;
    void wait_urgently(KnownMessages::Entry& entry, const Destination& destination);
    bool send_early(queue::MessageId id);

    // sender_settle.cc: what comes next, until the end
    void mark_done(Active& active);
    void settle(Active& active);
    void defer(Active& active);
    void end(Active& active);
    void stall(Active& active);
    void retry_stalled();

    // sender_retired.cc: deliveries of retired spawners, which hold their recipients and nothing else
    void claim_recipients(Active& active) const;
    Running take_running(RunningPlace place);
    Active* active_of_late(queue::MessageId id);
    void reopen(const Running& running);
    void given_back(std::uint64_t delivery, const Running& running);
    std::string still_running_text(queue::MessageId id) const;

    // sender_bounce.cc: what has failed, and what the sender is told, in the end and before
    // One failure for each recipient.
    struct Failing {
        RecipientReport result;
        std::string server;
    };
    void fail(Active& active, const std::vector<std::uint32_t>& recipients,
              const std::vector<Failing>& failures);
    // The same reason for all.
    void fail_all(Active& active, const std::vector<std::uint32_t>& recipients, const std::string& reason,
                  std::string_view status = "");
    void record_failures(Active& active);
    bool ends_with_failures(const Active& active) const;
    bool is_gone(queue::MessageId id) const;
    bool may_tell(const Active& active) const;
    std::uint32_t next_telling(const Active& active) const;
    void tell_early(Active& active);
    void take_back(Active& active);
    void note_told(Active& active);
    void marked_as_told(Active& active, const std::string& trouble);
    void tell_what_has_gathered();

    // sender_report.cc: what the sender is told of delays and deliveries
    RecipientFacts facts_of(const Active& active, std::uint32_t recipient, const RecipientReport& result,
                            const std::string& server) const;
    static bool wants_warning(const Active& active, std::uint32_t recipient);
    std::int64_t warning_time(const Active& active) const;
    bool was_warned(Active& active) const;
    bool is_delayed(queue::MessageId id) const;
    void warn_of_delay(Active& active, const std::string& reason);
    void note_delayed(Active& active, std::uint32_t recipient, const RecipientReport& result,
                      const Report& report);
    void note_delivered(Active& active, std::uint32_t recipient, const RecipientReport& result,
                        const Running& running, const Report& report);
    void report_deliveries(Active& active);

    // sender_turn.cc
    bool has_turn(queue::MessageId id, const KnownMessages::Entry& entry) const;

    // sender_control.cc
    std::string running_text() const;
    std::string delivery_text(const RunningKey& key) const;
    ControlAnswer cut(std::uint64_t delivery);
    ControlAnswer remove(queue::MessageId id);
    ControlAnswer bounce(queue::MessageId id);
    std::string statistics();
    std::string why(queue::MessageId id);
    std::string why_waiting(const queue::StoredMessage& message, const KnownMessages::Entry& entry);
    void drop_queued(Active& active);

    const queue::Store store_;
    Settings settings_;
    Outlets& out_;
    std::uint64_t random_;
    std::uint64_t wall_us_ = 0;
    std::uint64_t monotonic_ms_ = 0;
    std::optional<ClockWatch> clock_;
    std::uint32_t keep_clock_at_ = 0;
    bool clock_refused_ = false;

    KnownMessages known_;
    KnownDestinations known_destinations_;
    std::deque<queue::MessageId> fresh_;
    std::unordered_map<queue::MessageId, std::unique_ptr<Active>> window_;
    std::size_t new_octets_ = 0;
    std::size_t old_octets_ = 0;
    std::size_t huge_octets_ = 0;
    std::vector<queue::MessageId> huge_waiting_;  // until another huge message leaves
    // Messages with planned recipients, in turn.
    std::deque<queue::MessageId> in_turns_;
    Side local_{Channel::local, Lane(0, false), false};
    Side remote_{Channel::remote, Lane(0, true), false};
    RunningMap running_;
    // Deliveries of retired spawners, by message.
    std::unordered_map<queue::MessageId, std::vector<RunningKey>> claims_;
    std::size_t lists_missing_ = 0;
    std::multimap<std::uint32_t, queue::MessageId> stalled_;
    std::set<queue::MessageId> held_strangers_;  // the oldest first
    std::uint32_t look_at_held_ = 0;
    std::unordered_map<queue::MessageId, Times> times_;  // of those of which more is said than their birth
    std::set<std::pair<std::int64_t, queue::MessageId>> alarms_;  // unix seconds; may be stale
    // Of messages of which a part has been told: when the next bounce may tell more, and how long the one
    // after it waits.
    struct Telling {
        std::uint32_t next = 0;
        std::uint32_t gap = 0;
    };
    std::unordered_map<queue::MessageId, Telling> told_;
    std::multimap<std::uint32_t, queue::MessageId> tell_;  // Active::tell_at
    // Domains whose messages are looked for, what is left to look at, and domains for which that comes then.
    std::set<std::string> turns_;
    std::vector<queue::MessageId> turn_left_;
    std::set<std::string> turns_waiting_;
    std::uint64_t next_delivery_ = 1;
    std::uint32_t next_load_ = 1;
    std::size_t under_way_ = 0;  // records and bounces not yet answered
    std::size_t scan_split_ = queue::split_count;
    std::optional<queue::DirectoryScan> scan_;  // of that split
    bool scan_again_ = false;
    bool first_scan_ = true;
    bool exiting_ = false;
    bool handing_over_ = false;
    std::uint64_t started_us_ = 0;  // wall clock
    std::uint32_t rules_ = 0;       // version of the rules
    std::size_t kept_files_ = 0;    // Active::file
    bool rerouted_ = false;         // jobs have come to a side whose turn may be over
};

}  // namespace relais::send
