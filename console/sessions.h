// Who is logged in at the console, and what guessing costs. Pure: the time is said.
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
    std::string name;   // of the operator; what --once made has none
    std::string proof;  // his hash: a session ends when the password has changed
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
    std::string open(std::string name, std::string proof, Role role, Clock::time_point now);
    // Null if there is none, or it has ended. live: it is not used by this.
    Session* find(const std::string& key, bool live, Clock::time_point now);
    void close(const std::string& key) { sessions_.erase(key); }
    std::size_t count() const { return sessions_.size(); }

  private:
    SessionLimits limits_;
    std::map<std::string, Session> sessions_;
};

// Of an account the first wrong passwords cost nothing; after each further one there is a wait, twice as long
// each time, in which no password is looked at, right or wrong. All names that are no accounts count as one.
class Guesses {
  public:
    static constexpr unsigned free = 3;
    static constexpr Seconds longest{60};
    static constexpr Seconds forgotten{3600};

    // How long there is still to wait.
    Seconds wait(const std::string& account, Clock::time_point now) const;
    // How many that were in a row.
    unsigned fail(const std::string& account, Clock::time_point now);
    void succeed(const std::string& account) { counts_.erase(account); }

  private:
    struct Count {
        unsigned failures = 0;
        Clock::time_point last{};
        Clock::time_point until{};
    };
    std::map<std::string, Count> counts_;  // of accounts, so it is bounded by them
};

}  // namespace relais::console
