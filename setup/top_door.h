// How qmailctl top asks qmail-send, again and again, though it is root no more: a child stays root and does
// one thing, to ask stat and running and hand over the texts. What strangers wrote is parsed where no right
// is, and the connection, which obeys every verb, never gets there.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/fd.h"
#include "control/home.h"
#include "control/owners.h"
#include "send/control_protocol.h"

namespace relais::setup {

// Of each text; lines beyond are left out.
inline constexpr std::size_t top_text_limit = std::size_t{64} << 10;

struct TopAnswers {
    std::string stat{};
    std::string running{};
    std::string silence{};  // why there are none
};

// Asks qmail-send over a connection that it keeps.
class TopQuestions {
  public:
    explicit TopQuestions(control::Home home) : home_(std::move(home)) {}
    // Waits for at most that long. Throws Error where this user may not ask.
    TopAnswers ask(Deadline deadline);

  private:
    TopAnswers ask_connected(Deadline deadline);

    control::Home home_;
    std::optional<send::ControlClient> client_;
};

class TopDoor {
  public:
    // By root, of an instance of several users: this process becomes qmailm for good, who can read the
    // counters and nothing else. By anybody else: it asks for itself. Throws Error.
    TopDoor(control::Home home, const control::Owners& owners);

    // Waits for a second and a half at most. Throws Error.
    TopAnswers ask();

  private:
    TopQuestions questions_;
    Fd child_;  // the child's other end; none: this process asks itself
};

}  // namespace relais::setup
