#include "auth/failures.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "net/socket.h"

namespace relais::auth {
namespace {

// The network of an IPv6 address in its canonical spelling, "2001:db8::/48"; nothing for other addresses.
std::optional<std::string> ipv6_network(const std::string& address, unsigned octet_count) {
    std::array<unsigned char, 16> octets{};
    if (::inet_pton(AF_INET6, address.c_str(), octets.data()) != 1) return std::nullopt;
    std::fill(octets.begin() + octet_count, octets.end(), static_cast<unsigned char>(0));
    std::array<char, INET6_ADDRSTRLEN> text{};
    return std::string(::inet_ntop(AF_INET6, octets.data(), text.data(), text.size())) + "/" +
           std::to_string(8 * octet_count);
}

}  // namespace

std::string client_of(std::string_view address) {
    const auto canonical = net::canonical_address(address);
    if (!canonical) return std::string(address);
    return ipv6_network(*canonical, 8).value_or(*canonical);
}

std::string site_of(std::string_view address) {
    const auto canonical = net::canonical_address(address);
    return canonical ? ipv6_network(*canonical, 6).value_or("") : "";
}

unsigned Failures::add(const std::string& client, Clock::time_point now, std::uint64_t attempt) {
    if (clients_.size() >= limit_ && !clients_.contains(client)) make_room(now);
    Record& record = clients_[client];
    if (is_over(record, now)) record = {};
    if (attempt != 0 && attempt == record.attempt) return record.count;
    record.attempt = attempt;
    record.last = now;
    return ++record.count;
}

unsigned Failures::add_if_room(const std::string& client, Clock::time_point now) {
    return clients_.size() < limit_ || clients_.contains(client) ? add(client, now) : 0;
}

unsigned Failures::count(const std::string& client, Clock::time_point now) const {
    const auto found = clients_.find(client);
    return found == clients_.end() || is_over(found->second, now) ? 0 : found->second.count;
}

// Forgets the least quarter: so seldom that its cost does not count.
void Failures::make_room(Clock::time_point now) {
    using Weight = std::pair<unsigned, Clock::time_point>;
    const auto weight = [&](const Record& record) {
        return Weight(is_over(record, now) ? 0 : record.count, record.last);
    };
    std::vector<Weight> weights;
    weights.reserve(clients_.size());
    for (const auto& [client, record] : clients_) weights.push_back(weight(record));
    const auto quarter = weights.begin() + static_cast<std::ptrdiff_t>(weights.size() / 4);
    std::nth_element(weights.begin(), quarter, weights.end());
    std::erase_if(clients_, [&](const auto& entry) { return weight(entry.second) <= *quarter; });
}

std::chrono::seconds failure_delay(unsigned count) {
    return std::chrono::seconds(1U << std::min(std::max(count, 1U) - 1, 4U));
}

}  // namespace relais::auth
