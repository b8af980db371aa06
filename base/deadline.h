// A moment on the monotonic clock by which a wait must be over. Every wait in the suite takes one.
#pragma once

#include <chrono>

namespace relais {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::seconds;

class Deadline {
  public:
    explicit Deadline(Clock::time_point at) : at_(at) {}
    static Deadline in(std::chrono::milliseconds span) { return Deadline(Clock::now() + span); }
    static Deadline never() { return Deadline(Clock::time_point::max()); }

    bool passed() const { return at_ != Clock::time_point::max() && Clock::now() >= at_; }
    Clock::time_point at() const { return at_; }
    // Milliseconds left, for poll(2): 0 when passed, -1 for never, rounded up so that a wait never spins.
    int milliseconds() const;
    // The earlier of the two.
    friend Deadline earlier(Deadline a, Deadline b) { return a.at_ < b.at_ ? a : b; }

  private:
    Clock::time_point at_;
};

}  // namespace relais
