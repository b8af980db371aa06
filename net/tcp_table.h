// The kernel's table of TCP sockets, as it stands in /proc/net/tcp and /proc/net/tcp6. Pure.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace relais::net {

inline constexpr std::array tcp_tables = {"/proc/net/tcp", "/proc/net/tcp6"};

// The states that are asked for, by the kernel's numbers.
enum class TcpState : std::uint8_t { established = 1, close_wait = 8, listening = 10 };

struct TcpSocket {
    TcpState state{};          // or any other number
    std::string_view local{};  // addresses as tcp_address reads them
    std::uint16_t port = 0;
    std::string_view remote{};
    std::optional<uid_t> uid{};  // nothing where the line ends before
    std::optional<ino_t> inode{};

    // A client is there, or was until it closed its side.
    bool is_connected() const { return state == TcpState::established || state == TcpState::close_wait; }
};

// Calls visit for each line that is one; what it is given views the table.
void each_tcp_socket(std::string_view table, const std::function<void(const TcpSocket&)>& visit);

// "0100007F", or four such words: each in the order of this host's octets. IPv4 addresses as IPv6 ones are
// IPv4. Nothing for other text.
std::optional<std::string> tcp_address(std::string_view digits);

}  // namespace relais::net
