// The engine of qmail-start: starts programs with exactly the descriptors they should have, and starts them
// again when they end (docs/architecture.md, "Who restarts whom").
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "control/owners.h"

namespace relais::start {

// A program to start.
struct Program {
    std::string path;
    std::vector<std::string> arguments = {};   // without the program's name
    std::optional<control::Owner> owner = {};  // nothing: stays who qmail-start is
    std::vector<int> descriptors = {};  // become 3, 4, ... in this order; all others but 0, 1, 2 are closed
    int input = -1;                     // becomes 0; -1: /dev/null
    int output = -1;                    // becomes 1 and 2; -1: as qmail-start's
    bool ends_with_parent = false;  // SIGTERM when qmail-start dies; others see their input or channel close
    bool takes_signals =
        false;  // SIGHUP, SIGALRM and SIGTERM stay blocked until the program's event loop takes them
};

// Forks and executes. Throws Error when it cannot fork; what goes wrong later is logged by the child, which
// exits 111.
pid_t start_program(const Program& program);

class Supervisor {
  public:
    // One generation of qmail-send and the spawners: made anew each time, for channels are never used twice.
    // The first is qmail-send.
    using MakeGeneration = std::function<std::vector<Program>(Fd lock, std::vector<Fd>& to_close)>;
    // The instance lock, if it is free.
    using TakeLock = std::function<std::optional<Fd>()>;

    // services: started at once, and again each time they end, at most once a second.
    Supervisor(std::vector<Program> services, TakeLock take_lock, MakeGeneration make_generation);
    // Runs until SIGTERM and the end of everything but deliveries that take longer than a moment: qmail-send
    // and the spawners go on with those by themselves, until they end or the next qmail-start's qmail-send
    // takes them over.
    void run();

  private:
    struct Service {
        Program program;
        pid_t pid = 0;
    };

    void start_service(Service& service);
    void start_generation();
    void wait_for_lock();
    void on_child();
    void on_service_ended(pid_t pid, int status);
    void on_member_ended(pid_t pid, int status);
    void restart_generation();
    void pass_on(int signal_number);
    void stop();
    void end_services();
    void stop_if_all_ended();

    EventLoop loop_;
    std::vector<Service> services_;
    TakeLock take_lock_;
    MakeGeneration make_generation_;
    std::map<pid_t, std::string> spawners_;  // those that live, retired ones too
    pid_t send_ = 0;                         // with its end the next generation begins
    bool stopping_ = false;
    bool leaving_ = false;  // whatever qmail-send still waits for
    int waits_for_lock_ = 0;
};

}  // namespace relais::start
