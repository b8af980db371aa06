// Who a local part's user is, asked of a qmail-getpw -s of our own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/packet_batch.h"
#include "base/packet_queue.h"
#include "control/owners.h"
#include "local/lookup.h"

namespace relais::local {

class UserLookup {
  public:
    using Answered = std::function<void(const LookupAnswer&)>;
    // Starts the program, as the role qmailp. died is called when it has ended: no question asked until then
    // is answered any more; the next one starts it again. Throws Error.
    UserLookup(EventLoop& loop, std::string program, const control::Owners& owners, Answered answered,
               std::function<void()> died);

    // Throws Error when the program cannot be started.
    void ask(std::uint64_t delivery, std::string_view local_part);
    // Sends what a turn of the loop has asked.
    void flush();

  private:
    void start();
    [[noreturn]] void serve_in_child(int socket) const;
    void on_event(std::uint32_t events);
    void end();

    EventLoop& loop_;
    std::string program_;
    const control::Owners& owners_;
    Answered answered_;
    std::function<void()> died_;
    pid_t pid_ = -1;
    Fd socket_;
    std::unique_ptr<PacketQueue> questions_;
    PacketReader answers_;
};

}  // namespace relais::local
