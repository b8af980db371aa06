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

std::string Sessions::open(std::string name, std::string proof, std::string ending, Role role,
                           Clock::time_point now) {
    if (sessions_.size() >= limits_.sessions)
        sessions_.erase(
            std::min_element(sessions_.begin(), sessions_.end(),
                             [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    std::string key = new_secret();
    sessions_[key] = {std::move(name), std::move(proof), std::move(ending), role, new_secret(), now, now};
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

void Sessions::close_all(std::string_view name) {
    std::erase_if(sessions_, [&](const auto& each) { return each.second.name == name; });
}

}  // namespace relais::console
