// The server's side of send/control_protocol.h, inside qmail-send's event loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/event_loop.h"
#include "base/fd.h"
#include "send/control_protocol.h"

namespace relais::send {

class ControlServer {
  public:
    using Answer = std::function<ControlAnswer(const ControlRequest& request)>;

    // listener is borrowed. An Error that answer throws becomes an error answer.
    ControlServer(EventLoop& loop, int listener, Answer answer);

  private:
    struct Connection {
        Fd socket;
        std::string in;
        std::string out;
        EventLoop::TimerId timer = 0;
    };

    void accept_one();
    void exchange(int fd, std::uint32_t events);
    bool read_requests(Connection& connection);
    std::string answer_line(std::string_view line);
    bool write_answers(Connection& connection);
    void close(int fd);
    void restart_timer(Connection& connection);

    EventLoop& loop_;
    int listener_;
    Answer answer_;
    std::unordered_map<int, std::unique_ptr<Connection>> connections_;
};

}  // namespace relais::send
