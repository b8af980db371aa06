// The Received field that says how a message came to us (RFC 5321, 4.4), in qmail's form. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/client.h"

namespace relais::smtpd {

// "Received: from HOST (HELO NAME) (INFO@IP)\n  by LOCAL with SMTP[ id SESSION][ PRIORITY N]; DATE -0000\n",
// in the queue's form (LF). The name stands there only if it was given and is not HOST. protocol is "SMTP",
// "ESMTP" and so on; a priority of 0 is not named. What a client or a rule could smuggle into the field
// becomes '?'.
std::string trace_field(const policy::Client& client, const std::optional<std::string>& helo,
                        std::string_view protocol, std::int64_t unix_seconds, std::string_view session = "",
                        int priority = 0);

}  // namespace relais::smtpd
