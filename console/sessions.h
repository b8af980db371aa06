// Who is logged in at the console. Pure: the time is said.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "console/protocol.h"

namespace relais::console {

// 128 random bits, in hexadecimal digits.
std::string new_secret();
// Compares without telling by the time how far it was right.
bool same_secret(std::string_view a, std::string_view b);

struct Session {
    std::string name;    // of the operator; what --once made has none
    std::string proof;   // his hash: a session ends when the password has changed
    std::string ending;  // ending_of (console/accounts.h) when it began: it ends when that has changed
    Role role = Role::reader;
    std::string token{};  // that his forms carry
    Clock::time_point begun{};
    Clock::time_point used{};
};

struct SessionLimits {
    std::size_t sessions = 100;  // at once; one more ends the one that was used least lately
    Seconds idle{1800};
    Seconds whole{12 * 3600};
};

class Sessions {
  public:
    explicit Sessions(SessionLimits limits = {}) : limits_(limits) {}
    // Its key, which is the browser's cookie.
    std::string open(std::string name, std::string proof, std::string ending, Role role,
                     Clock::time_point now);
    // Null if there is none, or it has ended. live: it is not used by this.
    Session* find(const std::string& key, bool live, Clock::time_point now);
    void close(const std::string& key) { sessions_.erase(key); }
    // All of that name.
    void close_all(std::string_view name);
    std::size_t count() const { return sessions_.size(); }

  private:
    SessionLimits limits_;
    std::map<std::string, Session> sessions_;
};

}  // namespace relais::console
