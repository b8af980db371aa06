#include "net/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace relais::net {
namespace {

void set_option(int socket, int level, int option, const std::string& where) {
    const int on = 1;
    if (::setsockopt(socket, level, option, &on, sizeof on) != 0) throw_errno("set up a socket for", where);
}

std::string v4_text(const in_addr& address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &address, text.data(), text.size());
    return text.data();
}

std::string v6_text(const in6_addr& address) {
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
        in_addr v4{};
        std::memcpy(&v4, address.s6_addr + 12, sizeof v4);
        return v4_text(v4);
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET6, &address, text.data(), text.size());
    return text.data();
}

}  // namespace

std::string Endpoint::text() const {
    return (is_v6() ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

std::optional<std::string> canonical_address(std::string_view text) {
    const std::string name(text);
    in_addr v4{};
    if (::inet_pton(AF_INET, name.c_str(), &v4) == 1) return v4_text(v4);
    in6_addr v6{};
    if (name.find('\0') == std::string::npos && ::inet_pton(AF_INET6, name.c_str(), &v6) == 1)
        return v6_text(v6);
    return std::nullopt;
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = parse_number(text.substr(colon + 1));
    if (!port || *port > 65535) return std::nullopt;
    std::string_view ip = text.substr(0, colon);
    const bool bracketed = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
    if (bracketed) ip = ip.substr(1, ip.size() - 2);
    if (bracketed != (ip.find(':') != std::string_view::npos)) return std::nullopt;
    auto address = canonical_address(ip);
    if (!address) return std::nullopt;
    return Endpoint{std::move(*address), static_cast<std::uint16_t>(*port)};
}

SocketAddress to_socket_address(const Endpoint& endpoint) {
    SocketAddress result;
    if (endpoint.is_v6()) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(endpoint.port);
        if (::inet_pton(AF_INET6, endpoint.ip.c_str(), &address.sin6_addr) != 1)
            throw Error(Reaction::bug, "not an address: " + endpoint.ip);
        std::memcpy(&result.storage, &address, sizeof address);
        result.size = sizeof address;
    } else {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(endpoint.port);
        if (::inet_pton(AF_INET, endpoint.ip.c_str(), &address.sin_addr) != 1)
            throw Error(Reaction::bug, "not an address: " + endpoint.ip);
        std::memcpy(&result.storage, &address, sizeof address);
        result.size = sizeof address;
    }
    return result;
}

Endpoint to_endpoint(const SocketAddress& address) {
    if (address.storage.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address.storage, sizeof v4);
        return {v4_text(v4.sin_addr), ntohs(v4.sin_port)};
    }
    if (address.storage.ss_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address.storage, sizeof v6);
        return {v6_text(v6.sin6_addr), ntohs(v6.sin6_port)};
    }
    throw_errno("use", "a socket that is not TCP", EAFNOSUPPORT);
}

Endpoint local_endpoint(int socket) {
    SocketAddress address;
    if (::getsockname(socket, address.get(), &address.size) != 0) throw_errno("learn", "a socket's address");
    return to_endpoint(address);
}

Fd listen_tcp(const Endpoint& endpoint) {
    const std::string where = endpoint.text();
    const SocketAddress address = to_socket_address(endpoint);
    Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) throw_errno("create a socket for", where);
    set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, where);
    set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, where);
    if (endpoint.is_v6()) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, where);
    if (::bind(fd.get(), address.get(), address.size) != 0) throw_errno("bind", where);
    // The kernel cuts the backlog to net.core.somaxconn.
    if (::listen(fd.get(), 65535) != 0) throw_errno("listen on", where);
    return fd;
}

}  // namespace relais::net
