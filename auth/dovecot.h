// Dovecot as the one who knows passwords: the client's side of its authentication protocol (version 1.1 and
// later), mechanism PLAIN.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/protocol.h"
#include "base/deadline.h"

namespace relais::auth {

// Asks over the socket at path (for Postfix it is "auth-client" or "private/auth"). The name of the answer is
// Dovecot's. Waits; never throws.
Answer ask_dovecot(const std::string& path, std::string_view user, std::string_view password,
                   std::string_view service, std::string_view address, Deadline deadline);

// A line of the server's: what it says of request `id`; nothing if it is about something else. Pure.
std::optional<Answer> parse_dovecot_line(std::string_view line, std::string_view id);

}  // namespace relais::auth
