// TCP sockets and addresses of both families. Addresses are text, as tcpserver's variables have them:
// "192.0.2.1", "2001:db8::1"; an IPv4-mapped one (::ffff:192.0.2.1) is always written as the IPv4 address
// that it is.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace relais::net {

struct Endpoint {
    std::string ip;
    std::uint16_t port = 0;

    bool is_v6() const { return ip.find(':') != std::string::npos; }
    // "192.0.2.1:25", "[2001:db8::1]:25".
    std::string text() const;
    bool operator==(const Endpoint&) const = default;
};

// "192.0.2.1:25" or "[2001:db8::1]:25"; nothing for everything else (names are not looked up).
std::optional<Endpoint> parse_endpoint(std::string_view text);

// The address in its one canonical spelling, so that equal addresses are equal texts; nothing if it is none.
std::optional<std::string> canonical_address(std::string_view text);

// A socket address as the kernel takes it, and back.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};
// Throws a bug Error if the endpoint's address is none.
SocketAddress to_socket_address(const Endpoint& endpoint);
// Throws Error for a family that is neither IPv4 nor IPv6.
Endpoint to_endpoint(const SocketAddress& address);

// The address of this end of a connection, or of a listening socket (where port 0 became a real one). Throws
// Error.
Endpoint local_endpoint(int socket);

// A non-blocking, close-on-exec listening socket. A v6 one takes IPv6 only, so that both families can be
// listened on side by side. TCP_NODELAY is set and inherited by what it accepts. Throws Error.
Fd listen_tcp(const Endpoint& endpoint);

}  // namespace relais::net
