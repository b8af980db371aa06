// qmail-milterd's side of milter/protocol.h: a process for each SMTP session, which does one thing after the
// other.
#pragma once

#include <sys/types.h>

#include <set>

#include "base/event_loop.h"
#include "control/home.h"

namespace relais::milter {

// Serves one session to its end. Throws Error.
void serve_session(int connection, const control::Home& home);

class MilterServer {
  public:
    // listening: a stream socket, borrowed. sessions: processes at a time; further ones wait in the backlog.
    MilterServer(EventLoop& loop, int listening, control::Home home, std::size_t sessions);
    MilterServer(const MilterServer&) = delete;
    MilterServer& operator=(const MilterServer&) = delete;

  private:
    void accept_clients();
    void start(Fd client);
    void reap();

    EventLoop& loop_;
    int listening_;
    control::Home home_;
    std::size_t sessions_;
    std::set<pid_t> children_{};
    bool accepting_ = true;
};

}  // namespace relais::milter
