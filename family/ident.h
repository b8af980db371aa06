// Who owns a connection, asked of the host at its other end (RFC 1413). The answer is that host's word.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "net/socket.h"

namespace relais::family {

// The user in a reply "6193, 23 : USERID : UNIX : joe", without the blanks around it; nothing for an error
// reply and for what is none. reply: one line without its end.
std::optional<std::string> ident_user(std::string_view reply);

// Asks the remote host's identification server about the connection between these two. Nothing if it has
// none, does not know, or does not answer within the time; connecting and answering share it.
std::optional<std::string> ask_ident(const net::Endpoint& local, const net::Endpoint& remote,
                                     std::chrono::seconds time, std::uint16_t port = 113);

}  // namespace relais::family
