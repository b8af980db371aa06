// One thread that watches many descriptors, timers and signals. Only for processes that must: qmail-send, the
// spawners, the listener, the resolver. Everything else is sequential.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/deadline.h"
#include "base/fd.h"

namespace relais {

class EventLoop {
  public:
    using Handler = std::function<void(std::uint32_t events)>;
    using Action = std::function<void()>;
    using TimerId = std::uint64_t;

    EventLoop();

    // Calls handler with the epoll events whenever fd is ready; borrows fd until remove. Level-triggered.
    // Throws Error.
    void add(int fd, std::uint32_t events, Handler handler);
    void change(int fd, std::uint32_t events);
    // May be called from within a handler, also for the descriptor being handled.
    void remove(int fd);

    // Calls action once at that time.
    TimerId at(Clock::time_point when, Action action);
    TimerId after(std::chrono::milliseconds span, Action action) {
        return at(Clock::now() + span, std::move(action));
    }
    void cancel(TimerId id);

    // Blocks the signal and calls action when it comes. Children forked later must call restore_signals().
    // Throws Error.
    void on_signal(int signal_number, Action action);
    // Undoes the blocking, for a child after fork.
    static void restore_signals();

    // Calls action before each wait; when it returns true there is more to do at once, and the loop only
    // looks for events before it calls again.
    void before_wait(std::function<bool()> action) { before_wait_ = std::move(action); }

    // Runs until stop() was called.
    void run();
    void stop() { stopped_ = true; }

  private:
    void run_timers();

    Fd epoll_;
    Fd signals_;
    bool stopped_ = false;
    std::function<bool()> before_wait_;
    std::unordered_map<int, std::shared_ptr<Handler>> handlers_;
    std::map<int, Action> signal_actions_;
    std::map<std::pair<Clock::time_point, TimerId>, Action> timers_;
    std::unordered_map<TimerId, Clock::time_point> timer_times_;
    TimerId next_timer_ = 1;
};

}  // namespace relais
