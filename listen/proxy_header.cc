#include "listen/proxy_header.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace relais::listen {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::string_view line_start = "PROXY ";
// Of version 2: the signature, version and command, family and protocol, the length of what follows.
constexpr std::size_t fixed_size = 16;
constexpr unsigned command_local = 0x20;
constexpr unsigned command_proxy = 0x21;
constexpr unsigned tcp_over_ipv4 = 0x11;
constexpr unsigned tcp_over_ipv6 = 0x21;

unsigned octet(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

std::uint16_t number_at(std::string_view text, std::size_t at) {
    return static_cast<std::uint16_t>(octet(text, at) << 8 | octet(text, at + 1));
}

std::string address_at(std::string_view text, std::size_t at, int family) {
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    ::inet_ntop(family, text.data() + at, buffer.data(), buffer.size());
    return net::canonical_address(buffer.data()).value_or("");
}

std::optional<net::Endpoint> endpoint_of(int family, std::string_view address, std::string_view port) {
    std::array<char, sizeof(in6_addr)> ignored{};
    if (::inet_pton(family, std::string(address).c_str(), ignored.data()) != 1) return std::nullopt;
    const auto canonical = net::canonical_address(address);
    const auto number = parse_number(port);
    if (!canonical || !number || *number > 65535) return std::nullopt;
    return net::Endpoint{*canonical, static_cast<std::uint16_t>(*number)};
}

}  // namespace

std::size_t ProxyHeader::feed(std::string_view input) {
    std::size_t used = 0;
    while (state_ == State::open && used < input.size()) {
        const std::string_view rest = input.substr(used, wanted());
        // A line ends where it ends; nothing behind it may be taken.
        const std::size_t end = rest.find('\n');
        const std::size_t count =
            header_.starts_with('P') && end != std::string_view::npos ? end + 1 : rest.size();
        header_.append(rest.substr(0, count));
        used += count;
        look();
    }
    return used;
}

// How many octets may be taken without taking one of the client's.
std::size_t ProxyHeader::wanted() const {
    if (header_.starts_with('P')) return line_limit - header_.size();
    if (header_.size() < fixed_size) return header_.empty() ? 1 : fixed_size - header_.size();
    return fixed_size + number_at(header_, 14) - header_.size();
}

void ProxyHeader::look() {
    if (header_.front() == 'P') return look_at_line();
    if (header_.substr(0, signature.size()) != signature.substr(0, header_.size())) {
        state_ = State::wrong;
        return;
    }
    if (header_.size() >= fixed_size) look_at_block();
}

void ProxyHeader::look_at_line() {
    const bool begins_well = header_.substr(0, line_start.size()) == line_start.substr(0, header_.size());
    if (begins_well && !header_.ends_with('\n') && header_.size() < line_limit) return;
    state_ = State::wrong;
    if (!begins_well || !header_.ends_with("\r\n") || header_.find('\0') != std::string::npos) return;
    const std::string_view line = std::string_view(header_).substr(0, header_.size() - 2);
    const auto words = split(line, ' ');
    if (words.size() < 2 || words[0] != "PROXY") return;
    if (words[1] == "UNKNOWN") {
        state_ = State::complete;
        return;
    }
    if (words.size() != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) return;
    const int family = words[1] == "TCP4" ? AF_INET : AF_INET6;
    const auto client = endpoint_of(family, words[2], words[4]);
    const auto local = endpoint_of(family, words[3], words[5]);
    if (!client || !local) return;
    connection_ = {*client, *local};
    state_ = State::complete;
}

void ProxyHeader::look_at_block() {
    const unsigned command = octet(header_, 12);
    const std::size_t size = number_at(header_, 14);
    if ((command != command_local && command != command_proxy) || size > block_limit) {
        state_ = State::wrong;
        return;
    }
    if (header_.size() < fixed_size + size) return;
    state_ = State::complete;
    const unsigned family = octet(header_, 13);
    if (command == command_local || (family != tcp_over_ipv4 && family != tcp_over_ipv6)) return;
    const std::size_t width = family == tcp_over_ipv4 ? sizeof(in_addr) : sizeof(in6_addr);
    const std::size_t ports = fixed_size + 2 * width;
    if (header_.size() < ports + 4) {
        state_ = State::wrong;
        return;
    }
    const int kind = family == tcp_over_ipv4 ? AF_INET : AF_INET6;
    connection_ = {{address_at(header_, fixed_size, kind), number_at(header_, ports)},
                   {address_at(header_, fixed_size + width, kind), number_at(header_, ports + 2)}};
}

}  // namespace relais::listen
