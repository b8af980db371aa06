// The session processes of an acceptor: made before they are needed, given one client after the other, and
// reaped.
//
//   spare ---hand_over---> busy ---"free"---> kept ---hand_over---> busy ...
//     |                     |                  |
//     `---------------------+------------------+--> ending ---waitpid---> gone
//
// A kept process serves clients of the same key (visitor.h) again, or of any where that is wished, up to a
// number of them and for a bounded time. It leaves its channel, or we close it: when it is idle for too
// long, when it was made before something changed, and when too many are kept.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "listen/reuse.h"
#include "listen/visitor.h"

namespace relais::listen {

// What a session process says when its client has gone and it would serve another one.
inline constexpr char free_word = 'F';

class Processes {
  public:
    struct Limits {
        unsigned clients = 100;   // of one process
        Seconds lifetime{600};    // from the first client to the last one's beginning
        Seconds idle{5};          // for spare and kept ones
        std::size_t kept = 100;   // so many at most
        std::size_t spares = 32;  // so many at most
    };
    struct Handlers {
        // The process: what it returns is its exit code. channel: where clients come from
        // (session_process.h).
        std::function<int(int channel)> serve;
        // The client of this address, and with it its place, is free again.
        std::function<void(const std::string& ip)> left;
        // A process has died by a signal that means a crash. ip: whom it served; empty for nobody.
        std::function<void(pid_t pid, const std::string& ip, int signal_number)> crashed;
    };

    // Borrows the loop, whose before_wait it uses; blocks SIGCHLD. Throws Error.
    Processes(EventLoop& loop, Limits limits, Handlers handlers);

    // Gives the client to a kept process, a spare, or a new one. filters: as for Service::serve. False, with
    // errno, if there is none to be had.
    bool hand_over(int connection, Visitor visitor, Reuse reuse, int filters = -1);
    // This client has come: there should be a process when it speaks.
    void expect(const Visitor& visitor, Reuse reuse);
    // Whoever was made before now serves its client to the end and nobody else.
    void outdate();
    // Before somebody is turned away because of those who have gone: looks at every process, unless that
    // has just been done.
    void look_again();
    std::size_t count() const { return processes_.size(); }

  private:
    enum class State { spare, busy, kept, ending };
    struct Process {
        pid_t pid = 0;
        Fd channel;
        State state = State::spare;
        std::uint64_t generation = 0;
        unsigned clients = 0;
        Clock::time_point first_client{};
        Clock::time_point idle_since{};
        std::string key{};
        std::string ip{};  // of the client it serves
    };

    Process* choose(const std::string& key, Reuse reuse);
    Process* make();
    [[noreturn]] void become_process(int channel);
    bool refill();
    void listen_to(Process& process);
    void became_free(Process& process);
    void end(Process& process);
    void stop_waiting(Process& process);
    void reap(Process& process);
    void reap_ending();
    void plan_tick();
    void tick();

    EventLoop& loop_;
    const Limits limits_;
    Handlers handlers_;
    Fd signals_;
    std::unordered_map<pid_t, std::unique_ptr<Process>> processes_;
    // Those that wait for a client, and those that are to be reaped; each began to do so after the one
    // before it.
    std::vector<Process*> spares_;
    std::vector<Process*> kept_;
    std::vector<Process*> ending_;
    std::uint64_t generation_ = 1;
    std::size_t spares_wanted_ = 0;
    std::size_t spares_taken_ = 0;  // since the last tick
    bool client_came_ = false;      // since the last tick
    bool tick_planned_ = false;
    Clock::time_point last_look_{};
};

}  // namespace relais::listen
