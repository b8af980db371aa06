// qmail-send's event loop: the hint pipe, the channels to the spawners and to those that have retired, the
// control socket, the processes for slow work, signals and time, all around one Sender.
#pragma once

#include <list>
#include <optional>
#include <string_view>

#include "base/event_loop.h"
#include "base/packet_batch.h"
#include "control/home.h"
#include "control/watched.h"
#include "send/control_server.h"
#include "send/log_text.h"
#include "send/rules_watch.h"
#include "send/sender.h"
#include "send/signing.h"
#include "send/slow_work.h"
#include "send/turn_server.h"
#include "trace/client.h"

namespace relais::send {

class Daemon final : private Outlets {
  public:
    // retired: a letter for each retired spawner (start/descriptors.h).
    Daemon(const control::Home& home, std::vector<SlowWorker>& recorders, std::vector<SlowWorker>& bouncers,
           std::string_view retired, Signing& signing);
    // Until SIGTERM and the last delivery, or until another qmail-send takes over: 0; until a spawner has
    // ended: 111.
    int run();

  private:
    bool order(const LocalOrder& order, Fd message) override;
    bool order(const RemoteOrder& order, Fd message) override;
    void record(FailureRecord record) override;
    void bounce(queue::MessageId id, std::string unrecorded) override;
    void report(queue::MessageId id, ReportKind kind, std::string text) override;
    void cut(Channel channel, unsigned from, std::uint64_t delivery) override;
    void log(std::string_view line) override { tell(Event("text", std::string(line)).with("text", line)); }
    void tell(const Event& event) override;

    // The way to one of them.
    struct Spawner {
        int fd;
        Channel channel;
        unsigned retired = 0;       // its number among those that have retired; 0: it takes orders
        bool list_missing = false;  // of what it has under way
        PacketWriter out{};
        bool full = false;
        std::uint32_t taken = 0;  // reports since it was last told
    };

    void take_spawners(std::string_view retired);
    void take_signals();
    void watch(Spawner& spawner);
    void flush_spawners();
    void flush(Spawner& spawner);
    void on_spawner(Spawner& spawner, std::uint32_t events);
    void take_packet(Spawner& spawner, std::string_view packet);
    void spawner_lost(Spawner& spawner);
    void give_up_lists();
    void retire_spawners();
    void on_hints();
    void on_turn(std::string_view domain);
    void on_recorded(const std::string& answer);
    void on_bounced(const std::string& answer);
    void on_worker_death(std::string_view name);
    void drop_slow_work();
    void read_changed_settings();
    void read_changed_rules();
    ControlAnswer rules_text() const;
    void reread();
    void read_signing();
    void read_log_form();
    void read_turns();
    bool before_wait();
    void tell_time();
    void arm_timer();

    const control::Home home_;
    Signing& signing_;
    EventLoop loop_;
    LogBuffer log_;
    trace::Client trace_;
    bool keeps_trace_ = false;
    std::vector<SlowWorker>& recorders_;
    std::vector<SlowWorker>& bouncers_;
    control::WatchList watch_;
    RulesWatch rules_watch_;
    Clock::time_point next_look_{};
    Sender sender_;
    ControlServer control_;
    Turns turns_;
    std::optional<TurnServer> turn_server_;
    PacketReader reports_;
    std::list<Spawner> spawners_;
    Spawner* local_ = nullptr;
    Spawner* remote_ = nullptr;
    bool retiring_ = false;
    std::uint64_t signals_ = 0;  // SIGHUP and SIGALRM that have been obeyed
    std::size_t hint_pipe_size_ = 0;
    EventLoop::TimerId timer_ = 0;
    Clock::time_point timer_at_{};
    int exit_code_ = 0;
};

// How many children there are for each: those that wait for the disk together share its syncs.
inline constexpr std::size_t recorder_count = 4;
inline constexpr std::size_t bouncer_count = 8;

// The parts of the children.
SlowWorker::Work record_work(const control::Home& home);
SlowWorker::Work bounce_work(const control::Home& home);

}  // namespace relais::send
