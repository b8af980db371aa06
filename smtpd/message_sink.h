// Where an accepted message goes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "queue/protocol.h"

namespace relais::smtpd {

// Destroyed before finish, the message was never sent.
class MessageSink {
  public:
    virtual ~MessageSink() = default;
    // Before the first octet: what the envelope says beside the addresses that finish() is given.
    virtual void begin(const mail::Envelope&) {}
    virtual void write(std::string_view text) = 0;
    virtual queue::SubmitAnswer finish(const std::string& sender,
                                       const std::vector<std::string>& recipients) = 0;
    virtual std::uint64_t qp() const = 0;
    // What names this session where a filter stands before the queue; "" where none does.
    virtual std::string session() const { return ""; }
};

// A message's way into the queue of this instance, or into $QMAILQUEUE. filters: the channel of the runner
// that starts that program, borrowed; -1: there is none.
std::unique_ptr<MessageSink> open_queue(const control::Home& home, int filters = -1);

}  // namespace relais::smtpd
