// The messages of an old queue, one after the other, into an instance that stands still, and what is said
// of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/home.h"
#include "setup/old_queue.h"

namespace relais::setup {

void say(const std::string& text);
// Says "WORD path: text".
Fault saying(const std::string& word, std::uint64_t& count);

struct OldMessages {
    std::size_t count = 0;
    std::function<OldMessage(std::size_t index)> read{};
    std::string out_of_reach{};  // the command that puts the old queue there
};

// Brings them, or with dry says what would be brought; then the counts of both sides. faults is what
// saying() counts meanwhile. The caller is qmailq, and has the locks. The exit code: 1 if something was not
// taken. Throws Error.
int bring_messages(const control::Home& home, const OldMessages& old, bool dry, const std::uint64_t& faults);

}  // namespace relais::setup
