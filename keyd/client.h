// The questions of keyd/protocol.h, for a process that serves TLS.
#pragma once

#include <optional>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"
#include "keyd/protocol.h"

namespace relais::keyd {

class KeyClient {
  public:
    explicit KeyClient(control::Home home) : home_(std::move(home)) {}

    // Each asks over the connection there is, or a new one; a connection that died is replaced once. Throw
    // Error: there is no qmail-keyd, it said no, or the deadline passed.
    Chain certificate_for(std::string_view name, Deadline deadline);
    Signature sign(const Signing& signing, Deadline deadline);
    TicketAnswer ticket(std::string_view name, Deadline deadline);
    Ticket new_ticket(Deadline deadline);
    // Until the next question.
    void disconnect() { fd_.reset(); }

  private:
    std::string ask(const Request& request, Deadline deadline);

    control::Home home_;
    Fd fd_;
};

// A connection over which 'W' was asked; answers come whenever something has changed. Throws Error.
Fd watch(const control::Home& home, Deadline deadline);
// The next answer, all of it by the deadline; nothing when qmail-keyd has ended. Throws Error.
std::optional<Chain> read_watched(int fd, Deadline deadline);

}  // namespace relais::keyd
