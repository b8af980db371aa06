// The form of mbox files.
#pragma once

#include <string_view>

namespace relais::mail {

// What must be written before a From_ line, so that readers see a message there: an empty line stands between
// two messages. end: the last two octets of the file, or all of a shorter one.
std::string_view mbox_gap(std::string_view end);

}  // namespace relais::mail
