#include "pop3/crowd.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/program.h"
#include "base/text.h"
#include "control/setting.h"
#include "listen/places.h"
#include "opensmtp/address.h"

namespace relais::pop3 {
namespace {

constexpr std::size_t table_limit = std::size_t{64} << 20;
constexpr std::size_t word_digits = 8;
// States of the kernel's: connected; the client has closed its side.
constexpr std::string_view connected = "01", half_closed = "08";

std::optional<std::uint32_t> hexadecimal(std::string_view text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Words in the order of this machine's octets, as the kernel prints an address.
std::optional<std::string> address_of(std::string_view digits) {
    std::array<std::uint32_t, 4> words{};
    if (digits.size() != word_digits && digits.size() != 4 * word_digits) return std::nullopt;
    for (std::size_t i = 0; i * word_digits < digits.size(); ++i) {
        const auto word = hexadecimal(digits.substr(i * word_digits, word_digits));
        if (!word) return std::nullopt;
        words[i] = *word;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = digits.size() == word_digits ? AF_INET : AF_INET6;
    if (::inet_ntop(family, words.data(), text.data(), text.size()) == nullptr) return std::nullopt;
    return opensmtp::canonical_client(text.data());
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    for (const std::string_view word : split(line, ' '))
        if (!word.empty()) words.push_back(word);
    return words;
}

// The peer of a connection to that port; nothing for other lines.
std::optional<std::string> peer_at(std::string_view line, std::uint16_t port) {
    const auto words = words_of(line);
    if (words.size() < 4 || (words[3] != connected && words[3] != half_closed)) return std::nullopt;
    const std::size_t local = words[1].find(':'), remote = words[2].find(':');
    if (local == std::string_view::npos || remote == std::string_view::npos) return std::nullopt;
    if (hexadecimal(words[1].substr(local + 1)) != port) return std::nullopt;
    return address_of(words[2].substr(0, remote));
}

}  // namespace

Crowd count_connections(std::string_view table, std::uint16_t port, std::string_view ip) {
    const std::string own = listen::neighbourhood(opensmtp::canonical_client(ip).value_or(std::string(ip)));
    Crowd crowd;
    for (const std::string_view line : split(table, '\n')) {
        const auto peer = peer_at(line, port);
        if (!peer) continue;
        ++crowd.all;
        if (listen::neighbourhood(*peer) == own) ++crowd.neighbours;
    }
    return crowd;
}

Crowd crowd_around_client() {
    const auto port = parse_number(environment("TCPLOCALPORT", ""));
    if (!port || *port == 0 || *port > 65535) return {};
    Crowd crowd;
    for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        try {
            const auto table = read_file(path, table_limit);
            const Crowd found = count_connections(table.value_or(""), static_cast<std::uint16_t>(*port),
                                                  environment("TCPREMOTEIP", ""));
            crowd.all += found.all;
            crowd.neighbours += found.neighbours;
        } catch (const Error&) {
        }
    }
    return crowd;
}

std::size_t limit_of_one(const control::Home& home, std::string_view ip) {
    const std::string own = environment("PERIP", "");
    if (!own.empty()) return listen::share_of_one(own, places);
    if (opensmtp::NetworkSet(control::read<"authtrusted">(home)).match(ip)) return 0;
    return listen::share_of_one(control::read<"perip">(home), places);
}

}  // namespace relais::pop3
