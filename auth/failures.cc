#include "auth/failures.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <vector>

#include "net/socket.h"

namespace relais::auth {

std::string client_of(std::string_view address) {
    const auto canonical = net::canonical_address(address);
    if (!canonical) return std::string(address);
    std::array<unsigned char, 16> octets{};
    if (::inet_pton(AF_INET6, canonical->c_str(), octets.data()) != 1) return *canonical;
    std::fill(octets.begin() + 8, octets.end(), static_cast<unsigned char>(0));
    std::array<char, INET6_ADDRSTRLEN> text{};
    return std::string(::inet_ntop(AF_INET6, octets.data(), text.data(), text.size())) + "/64";
}

unsigned Failures::add(const std::string& client, Clock::time_point now) {
    if (clients_.size() >= limit_ && !clients_.contains(client)) make_room(now);
    Record& record = clients_[client];
    if (now - record.last >= memory_) record.count = 0;
    record.last = now;
    return ++record.count;
}

unsigned Failures::count(const std::string& client, Clock::time_point now) const {
    const auto found = clients_.find(client);
    return found == clients_.end() || now - found->second.last >= memory_ ? 0 : found->second.count;
}

// Forgets what is too old anyway, and in any case the oldest quarter: so seldom that its cost does not count.
void Failures::make_room(Clock::time_point now) {
    std::vector<Clock::time_point> times;
    times.reserve(clients_.size());
    for (const auto& [client, record] : clients_) times.push_back(record.last);
    const auto quarter = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
    std::nth_element(times.begin(), quarter, times.end());
    const Clock::time_point oldest = std::max(*quarter, now - memory_);
    std::erase_if(clients_, [&](const auto& entry) { return entry.second.last <= oldest; });
}

std::chrono::seconds failure_delay(unsigned count) {
    return std::chrono::seconds(1U << std::min(std::max(count, 1U) - 1, 4U));
}

}  // namespace relais::auth
