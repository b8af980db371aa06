// Mail that no person has sent, or that many get: nobody there waits for an answer (RFC 3834, 2 and 5).
#pragma once

#include <string_view>

namespace relais::mail {

// True if this field of a header says so: Auto-Submitted with anything but "no", Precedence with bulk, list
// or junk, List-Id or List-Post.
bool says_automatic(std::string_view field);

}  // namespace relais::mail
