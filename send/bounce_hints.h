// Hints on refusals (mail/bounce_hints.h) in an instance: the administrator's table, and where hints are
// shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"
#include "mail/bounce_hints.h"

namespace relais::send {

// control/bouncehints: the words "queue-list" and "bounces", or "off"; without the file queue-list alone.
struct HintPlaces {
    bool queue_list = true;
    bool bounces = false;

    // Throws Error.
    static HintPlaces read(const control::Home& home);
};

// control/bouncehints.local, then the table that comes with the programs. Lines of the former that cannot be
// used are left out and told in mistakes, one text each. Throws Error.
mail::HintTable read_hint_table(const control::Home& home, std::vector<std::string>& mistakes);

// What is added to a recipient's paragraph in a bounce: lines of at most 76 octets, each with its LF. Empty
// if no hint matches.
std::string bounce_hint_lines(const mail::HintTable& table, std::string_view text);

}  // namespace relais::send
