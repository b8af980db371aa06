// Foreign text on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace relais::explain {

// Every octet outside printable ASCII as '_': nothing in it moves a cursor or breaks a line.
inline std::string plain(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c < 32 || c > 126) c = '_';
    return result;
}

}  // namespace relais::explain
