// Logins that were right a moment ago, so that a client which asks for mail every minute does not cost a hash
// each time. A login is known only where it was right: from the same network. What is kept is a BLAKE2b
// digest of account, network and password under a key that this process drew, never the password.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/deadline.h"

namespace relais::auth {

class LoginCache {
  public:
    // lifetime 0: keeps nothing. Holds at most that many logins; the oldest goes first.
    explicit LoginCache(std::chrono::seconds lifetime, std::size_t limit = 100000);
    ~LoginCache();
    LoginCache(const LoginCache&) = delete;
    LoginCache& operator=(const LoginCache&) = delete;

    // network: client_of the client's address (failures.h).
    bool knows(std::string_view account, std::string_view network, std::string_view password,
               Clock::time_point now) const;
    // The lifetime counts from the first time: a client that never pauses is asked anew all the same.
    void add(std::string_view account, std::string_view network, std::string_view password,
             Clock::time_point now);
    void clear();
    std::size_t size() const { return until_.size(); }

  private:
    using Key = std::string;
    Key key_of(std::string_view account, std::string_view network, std::string_view password) const;
    void drop_old(Clock::time_point now);

    std::chrono::seconds lifetime_;
    std::size_t limit_;
    std::array<unsigned char, 32> secret_{};
    std::unordered_map<Key, Clock::time_point> until_;
    std::deque<Key> by_age_;
};

}  // namespace relais::auth
