// Changes to messages that are in the queue: through qmail-send when it runs, else here, under the lock that
// qmail-send needs to start. So there are never two at it.
#pragma once

#include <memory>
#include <optional>

#include "base/error.h"
#include "control/home.h"
#include "queue/select.h"
#include "send/control_protocol.h"

namespace relais::queue {

class Changer {
  public:
    // Connects to qmail-send; if none runs, takes its lock. As root without qmail-send it becomes qmails for
    // good, for files that it makes must be qmail-send's. Throws Error: not permitted, or deliveries of a
    // stopped qmail-send still run.
    explicit Changer(const control::Home& home);

    bool through_qmail_send() const { return client_.has_value(); }
    // hold, release, retry, remove, bounce. Throws Error when the disk or the connection fails.
    send::ControlAnswer change(send::ControlVerb verb, MessageId id);
    // Why a message waits, in qmail-send's words; empty if it does not run or does not say.
    std::string why(MessageId id);

  private:
    void take_lock();
    send::ControlAnswer change_here(send::ControlVerb verb, SeenMessage& seen);
    static void send_early(StoredMessage& message);
    void bounce_here(const SeenMessage& seen);

    control::Home home_;
    std::optional<send::ControlClient> client_;
    Fd lock_;
};

// A connection to a qmail-send that runs; nothing if none does. Throws Error, with a hint when it is not
// permitted.
std::optional<send::ControlClient> connect_to_qmail_send(const control::Home& home);

// The same failure in words that help: a queue that is not there, or that this user may not see.
[[noreturn]] void throw_helpfully(const control::Home& home, const Error& error);

}  // namespace relais::queue
