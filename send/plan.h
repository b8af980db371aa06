// In which order the recipients of a message are given to their destinations, some at a time, so that those
// of one domain come together and a destination is made when its turn comes. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

namespace relais::send {

class Plan {
  public:
    struct Planned {
        std::uint32_t recipient;  // index in the envelope
        std::uint32_t domain;     // what domain_key says
    };
    // The same for the same domain, in any case; seldom the same for another.
    static std::uint32_t domain_key(std::string_view address);

    // Adds recipients, behind those that are there already.
    void add(std::vector<Planned> recipients);
    bool empty() const { return run_.begin == run_.end; }
    void clear() { *this = Plan(); }

    // The recipient whose turn it is; nothing if none is left.
    std::optional<std::uint32_t> next() const;
    // That one has its place.
    void advance();
    // Puts him and the others of his domain behind all the rest. False if there is no rest.
    bool put_aside();

  private:
    // Places in order_, of one domain.
    struct Run {
        std::uint32_t begin = 0, end = 0;
    };
    void take_run();

    std::vector<std::uint32_t> order_;
    std::vector<bool> begins_;  // true where another domain begins
    std::uint32_t at_ = 0;      // behind it nothing has had a turn
    Run run_;                   // whose turn it is
    std::deque<Run> aside_;
};

}  // namespace relais::send
