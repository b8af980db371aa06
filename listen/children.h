// The processes that an acceptor has forked, by process id, and their ends.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <unordered_map>

#include "base/event_loop.h"

namespace relais::listen {

// True if this status of waitpid(2) is that of a process which died of its own bug, or of somebody's
// attempt to use one.
bool is_crash(int status);

class Children {
  public:
    using Ended = std::function<void(pid_t pid, const std::string& ip, int status)>;
    // Borrows the loop, blocks SIGCHLD. ended: called for each child, with what add() was told. Throws Error.
    Children(EventLoop& loop, Ended ended);

    void add(pid_t pid, std::string ip) { children_.emplace(pid, std::move(ip)); }
    std::size_t count() const { return children_.size(); }
    // Before somebody is turned away because of those who have gone: looks at every child, unless that has
    // just been done.
    void look_again();

  private:
    void plan_sweep();
    void sweep();
    void reap(pid_t pid);

    EventLoop& loop_;
    Ended ended_;
    std::unordered_map<pid_t, std::string> children_;
    Fd signals_;
    bool some_ended_ = false;  // since the last sweep was planned
    bool sweep_planned_ = false;
    Clock::time_point last_sweep_{};
};

}  // namespace relais::listen
