// How many clients are here: of a listener as a whole, and of each neighbourhood. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

namespace relais::listen {

// Whose clients are counted together: those of one IPv4 address, or of one IPv6 network of 64 bits, for so
// much one customer has.
std::string neighbourhood(std::string_view ip);

class Places {
  public:
    // per_neighbourhood: 0 is no limit.
    Places(std::size_t limit, std::size_t per_neighbourhood)
        : limit_(limit), per_neighbourhood_(per_neighbourhood) {}

    bool full() const { return taken_ >= limit_; }
    bool full_for(std::string_view ip) const;
    void take(std::string_view ip);
    // One that was taken for this address.
    void release(std::string_view ip);
    std::size_t taken() const { return taken_; }

  private:
    std::size_t limit_;
    std::size_t per_neighbourhood_;
    std::size_t taken_ = 0;
    std::unordered_map<std::string, std::size_t> by_neighbourhood_;
};

}  // namespace relais::listen
