// Telling qmail-traced what happened (trace/protocol.h), without waiting for it.
#pragma once

#include <functional>
#include <string>

#include "base/deadline.h"
#include "base/event.h"
#include "base/fd.h"
#include "control/home.h"

namespace relais::trace {

// True if control/keeptrace asks for it. Throws Error.
bool is_kept(const control::Home& home);

class Client {
  public:
    // socket: its name in sockets/. lost: is told how many records nobody got.
    Client(const control::Home& home, std::string_view socket, std::function<void(std::size_t)> lost);
    ~Client() { flush(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // Keeps the event until flush, or until a packet is full.
    void put(const Event& event);
    void flush();

  private:
    bool connect();

    std::string path_;
    std::function<void(std::size_t)> lost_;
    Fd socket_;
    Clock::time_point next_try_{};  // to connect
    std::string packet_;
    std::size_t records_ = 0;  // in it
};

}  // namespace relais::trace
