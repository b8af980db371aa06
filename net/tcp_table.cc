#include "net/tcp_table.h"

#include <arpa/inet.h>

#include <charconv>

#include "base/text.h"
#include "base/words.h"
#include "net/socket.h"

namespace relais::net {
namespace {

constexpr std::size_t word_digits = 8;

template <typename Number>
std::optional<Number> hexadecimal(std::string_view text) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// "0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000 UID 0 INODE ..."
std::optional<TcpSocket> socket_in(std::string_view line) {
    const auto words = words_of(line);
    if (words.size() < 4) return std::nullopt;
    const std::size_t local = words[1].rfind(':'), remote = words[2].rfind(':');
    if (local == std::string_view::npos || remote == std::string_view::npos) return std::nullopt;
    const auto state = hexadecimal<std::uint8_t>(words[3]);
    const auto port = hexadecimal<std::uint16_t>(words[1].substr(local + 1));
    if (!state || !port) return std::nullopt;
    TcpSocket socket{static_cast<TcpState>(*state), words[1].substr(0, local), *port,
                     words[2].substr(0, remote)};
    if (words.size() < 10) return socket;
    if (const auto uid = parse_number(words[7])) socket.uid = static_cast<uid_t>(*uid);
    if (const auto inode = parse_number(words[9])) socket.inode = *inode;
    return socket;
}

}  // namespace

void each_tcp_socket(std::string_view table, const std::function<void(const TcpSocket&)>& visit) {
    for (const std::string_view line : split(table, '\n'))
        if (const auto socket = socket_in(line)) visit(*socket);
}

std::optional<std::string> tcp_address(std::string_view digits) {
    std::array<std::uint32_t, 4> words{};
    if (digits.size() != word_digits && digits.size() != words.size() * word_digits) return std::nullopt;
    for (std::size_t i = 0; i * word_digits < digits.size(); ++i) {
        const auto word = hexadecimal<std::uint32_t>(digits.substr(i * word_digits, word_digits));
        if (!word) return std::nullopt;
        words[i] = *word;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = digits.size() == word_digits ? AF_INET : AF_INET6;
    if (::inet_ntop(family, words.data(), text.data(), text.size()) == nullptr) return std::nullopt;
    return canonical_address(text.data());
}

}  // namespace relais::net
