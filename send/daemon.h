// qmail-send's event loop: the hint pipe, the channels to the spawners, the control socket, the two processes for slow
// work, signals and time, all around one Sender.
#pragma once

#include "base/event_loop.h"
#include "control/control_file.h"
#include "control/home.h"
#include "send/control_server.h"
#include "send/log_text.h"
#include "send/sender.h"
#include "send/slow_work.h"

namespace relais::send {

class Daemon final : private Outlets {
  public:
    Daemon(const control::Home& home, SlowWorker& recorder, SlowWorker& bouncer);
    // Until SIGTERM and the last delivery: 0; until a spawner has ended: 111.
    int run();

  private:
    bool order(const LocalOrder& order, int message) override;
    bool order(const RemoteOrder& order, int message) override;
    void record(FailureRecord record) override;
    void bounce(queue::MessageId id) override;
    void log(std::string_view line) override { log_.line(line); }

    bool send_order(bool local, std::string_view packet, int message);
    void on_channel(bool local, std::uint32_t events);
    void on_hints();
    void on_worker_death(std::string_view name);
    void drop_slow_work();
    void read_changed_settings();
    void reread();
    bool before_wait();
    void tell_time();
    void arm_timer();
    void end(int code);

    const control::Home home_;
    EventLoop loop_;
    LogBuffer log_;
    SlowWorker& recorder_;
    SlowWorker& bouncer_;
    std::vector<control::ChangeWatch> watches_;
    Clock::time_point next_look_{};
    Sender sender_;
    ControlServer control_;
    std::string report_buffer_;
    std::size_t hint_pipe_size_ = 0;
    EventLoop::TimerId timer_ = 0;
    Clock::time_point timer_at_{};
    int exit_code_ = 0;
};

// The parts of the children: one for each SlowWorker.
SlowWorker::Work record_work(const control::Home& home);
SlowWorker::Work bounce_work(const control::Home& home);

}  // namespace relais::send
