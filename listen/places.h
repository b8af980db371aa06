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

// The value of control/perip: so many clients of one neighbourhood, or "25%" of all places, one at least.
// 0, no limit, for everything else.
std::size_t share_of_one(std::string_view text, std::size_t places);

class Places {
  public:
    explicit Places(std::size_t limit) : limit_(limit) {}

    bool full() const { return taken_ >= limit_; }
    // limit: of one neighbourhood; 0 is none.
    bool full_for(std::string_view ip, std::size_t limit) const;
    // Three quarters are taken.
    bool scarce() const { return taken_ * 4 >= limit_ * 3; }
    void take(std::string_view ip);
    // One that was taken for this address.
    void release(std::string_view ip);
    std::size_t taken() const { return taken_; }

  private:
    std::size_t limit_;
    std::size_t taken_ = 0;
    std::unordered_map<std::string, std::size_t> by_neighbourhood_;
};

}  // namespace relais::listen
