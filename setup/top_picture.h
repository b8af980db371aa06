// What qmailctl top shows, as text. Pure: nothing is looked at here, and no clock.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/levels.h"

namespace relais::setup {

// Of qmail-send's words, which name what strangers chose.
struct TopDestination {
    std::string name{};
    std::uint64_t running = 0, queued = 0, waiting = 0;
    std::uint64_t usual = 0;    // milliseconds that a delivery takes; 0: not known
    std::uint64_t longest = 0;  // seconds that a delivery has been under way
    std::string trouble{};      // why it is not tried now
};

struct TopPicture {
    std::string instance{};
    std::int64_t now = 0;
    std::string silence{};  // why qmail-send says nothing; "": it does
    bool ending = false;    // qmail-send starts nothing more
    metrics::Levels levels{};
    std::uint64_t waiting = 0, fresh = 0;  // for their next try; new
    // Of each count, a second: the newest last.
    std::array<std::deque<double>, metrics::count_kinds> rates{};
    std::vector<TopDestination> destinations{};
};

struct TopScreen {
    unsigned columns = 80;
    unsigned rows = 0;    // 0: as many as there are
    bool dress = false;   // bold and reversed, by the terminal's sequences
    bool blocks = false;  // the terminal shows UTF-8
};

// The destinations of the answers to "stat" and "running" (send/control_protocol.h), those with most to do
// first. What cannot be understood is left out.
std::vector<TopDestination> destinations_of(std::string_view stat, std::string_view running);
// The number that "stat" has under that name; 0 if there is none.
std::uint64_t number_of(std::string_view stat, std::string_view name);

// Lines, each ended by LF, none wider than the screen, at most as many as it has rows. Addresses are safe for
// a terminal.
std::string draw(const TopPicture& picture, const TopScreen& screen);

}  // namespace relais::setup
