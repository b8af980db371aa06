// One message on its way into the queue, from a client that sends it whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mail/observer.h"
#include "policy/client.h"
#include "qmtp/protocol.h"
#include "smtpd/message_sink.h"

namespace relais::qmtp {

using OpenSink = std::function<std::unique_ptr<smtpd::MessageSink>()>;

class Intake {
  public:
    // Writes the trace field. databytes: the largest message in octets, without that; 0 is no limit.
    Intake(const OpenSink& open_sink, const policy::Client& client, std::string_view protocol,
           std::uint64_t databytes);

    void write(std::string_view text);
    // Ends the message: what its recipients are told. Without recipients nothing is sent, and the answer is
    // of no use.
    Answer finish(const std::string& sender, const std::vector<std::string>& recipients);

  private:
    std::unique_ptr<smtpd::MessageSink> sink_;
    mail::MessageObservers observers_;
    std::optional<mail::MessageRefusal> refusal_;
};

}  // namespace relais::qmtp
