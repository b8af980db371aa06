// The server's side of QMTP.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/io.h"
#include "policy/chain.h"
#include "qmtp/intake.h"

namespace relais::qmtp {

struct Terms {
    std::chrono::seconds timeout{1200};  // for each octet that is waited for
    std::chrono::seconds message{3600};  // for a whole message with its envelope
    std::uint64_t databytes = 0;         // 0: no limit
    std::uint64_t recipient_limit = 1000;
};

using Judge = std::function<policy::Verdict(std::string_view sender, std::string_view recipient)>;
// A line for the log: who was refused, and why.
using Log = std::function<void(std::string_view line)>;

// Serves messages until the client has no more. out: where the answers go. Throws a permanent Error for what
// is not the protocol; any other when the client goes or is silent within a message.
void serve_qmtp(Reader& in, int out, const policy::Client& client, const Terms& terms, const Judge& judge,
                const OpenSink& open_sink, const Log& log);

}  // namespace relais::qmtp
