#include "console/sessions.h"

#include <sodium.h>

#include <algorithm>
#include <array>

namespace relais::console {

std::string new_secret() {
    std::array<unsigned char, 16> octets;
    ::randombytes_buf(octets.data(), octets.size());
    std::string text(2 * octets.size() + 1, '\0');
    ::sodium_bin2hex(text.data(), text.size(), octets.data(), octets.size());
    text.pop_back();
    return text;
}

bool same_secret(std::string_view a, std::string_view b) {
    return a.size() == b.size() && ::sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string Sessions::open(std::string name, std::string proof, Role role, Clock::time_point now) {
    if (sessions_.size() >= limits_.sessions)
        sessions_.erase(
            std::min_element(sessions_.begin(), sessions_.end(),
                             [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    std::string key = new_secret();
    sessions_[key] = {std::move(name), std::move(proof), role, new_secret(), now, now};
    return key;
}

Session* Sessions::find(const std::string& key, bool live, Clock::time_point now) {
    const auto found = sessions_.find(key);
    if (found == sessions_.end()) return nullptr;
    Session& session = found->second;
    if (now - session.used > limits_.idle || now - session.begun > limits_.whole) {
        sessions_.erase(found);
        return nullptr;
    }
    if (!live) session.used = now;
    return &session;
}

Seconds Guesses::wait(const std::string& account, Clock::time_point now) const {
    const auto found = counts_.find(account);
    if (found == counts_.end() || found->second.until <= now) return Seconds(0);
    return std::chrono::ceil<Seconds>(found->second.until - now);
}

unsigned Guesses::fail(const std::string& account, Clock::time_point now) {
    Count& count = counts_[account];
    if (now - count.last > forgotten) count.failures = 0;
    count.last = now;
    ++count.failures;
    if (count.failures >= free)
        count.until = now + std::min(longest, Seconds(1U << std::min(count.failures - free + 1, 10U)));
    return count.failures;
}

}  // namespace relais::console
