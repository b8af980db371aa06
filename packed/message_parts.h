// The parts of a message that a program has made: enough of MIME to find what was attached. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::packed {

struct Part {
    std::string type;         // what Content-Type says, in lower case, with its parameters
    std::string disposition;  // the same of Content-Disposition
    bool base64 = false;
    std::string_view body{};  // as it stands there
};

// The message's own body, and those of its parts, also of parts within parts: any line that begins with two
// dashes ends one. At most so many.
inline constexpr std::size_t parts_limit = 1000;
std::vector<Part> parts_of(std::string_view message);

// The octets of a part; nothing if its base64 is none.
std::optional<std::string> octets_of(const Part& part);

}  // namespace relais::packed
