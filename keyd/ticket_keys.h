// The keys of session tickets. A master key makes them for a while, then a new one does; the last masters are
// kept, so that tickets live on. A ticket's key is derived from its name and its master; masters never leave
// this object.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>

#include "base/deadline.h"
#include "keyd/protocol.h"

namespace relais::keyd {

class TicketKeys {
  public:
    // lifetime: for which a master makes new tickets; its tickets are known for two more of these.
    TicketKeys(std::chrono::seconds lifetime, Clock::time_point now);
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    // A name of its own, and its key. Throws Error.
    Ticket make(Clock::time_point now);
    // The key of a name; state says whether it is known, and whether the client should have a new ticket.
    TicketAnswer find(std::string_view name, Clock::time_point now);

  private:
    struct Master {
        std::array<unsigned char, 4> id;
        std::array<unsigned char, 32> key;
        Clock::time_point born;
    };
    void rotate(Clock::time_point now);
    void add_master(Clock::time_point now);

    std::chrono::seconds lifetime_;
    std::deque<Master> masters_;  // the newest first
};

}  // namespace relais::keyd
