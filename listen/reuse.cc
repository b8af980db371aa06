#include "listen/reuse.h"

#include "base/text.h"

namespace relais::listen {

Reuse parse_reuse(std::string_view word) {
    if (equal_ignoring_case(word, "any")) return Reuse::any;
    return equal_ignoring_case(word, "off") ? Reuse::off : Reuse::same;
}

}  // namespace relais::listen
