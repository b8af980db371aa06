#include "mail/automatic.h"

#include "base/text.h"
#include "mail/header.h"

namespace relais::mail {

bool says_automatic(std::string_view field) {
    const auto name = field_name(field);
    if (!name) return false;
    if (equal_ignoring_case(*name, "List-Id") || equal_ignoring_case(*name, "List-Post")) return true;
    const std::string_view value = trim(field_body(field));
    if (equal_ignoring_case(*name, "Precedence"))
        return equal_ignoring_case(value, "bulk") || equal_ignoring_case(value, "list") ||
               equal_ignoring_case(value, "junk");
    // "no" may have parameters or a comment behind it.
    return equal_ignoring_case(*name, "Auto-Submitted") &&
           !equal_ignoring_case(value.substr(0, value.find_first_of(" \t\r\n;(")), "no");
}

}  // namespace relais::mail
