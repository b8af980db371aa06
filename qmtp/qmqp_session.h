// The server's side of QMQP: one message of a client that may send to everybody.
#pragma once

#include <chrono>

#include "base/io.h"
#include "qmtp/intake.h"

namespace relais::qmtp {

// Takes one message and answers. timeout: for each octet that is waited for; an hour for all. Throws as
// serve_qmtp does.
void serve_qmqp(Reader& in, int out, const policy::Client& client, std::uint64_t databytes,
                std::chrono::seconds timeout, const OpenSink& open_sink);

}  // namespace relais::qmtp
