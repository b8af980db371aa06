// How qmailctl top asks qmail-send, again and again, though it is root no more: a child keeps what root may
// and does one thing, to connect to qmail-send's socket and hand the connection over.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"
#include "control/home.h"
#include "control/owners.h"
#include "send/control_protocol.h"

namespace relais::setup {

class TopDoor {
  public:
    // By root, of an instance of several users: this process becomes qmailm for good, who can read the
    // counters and nothing else. By anybody else: it asks for itself. Throws Error.
    TopDoor(control::Home home, const control::Owners& owners);

    struct Answers {
        std::string stat{};
        std::string running{};
        std::string silence{};  // why there are none
    };
    // Waits for at most that long.
    Answers ask(Deadline deadline);

  private:
    // Nothing where no qmail-send runs. Throws Error.
    std::optional<Fd> connect(Deadline deadline);

    control::Home home_;
    Fd child_;  // the child's other end; none: this process connects itself
    std::optional<send::ControlClient> client_;
};

}  // namespace relais::setup
