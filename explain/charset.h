// Words in the charset of their writer, as UTF-8. The label and the words are anybody's.
#pragma once

#include <string>
#include <string_view>

namespace relais::explain {

// The charset parameter of a Content-Type, in lower case; "" if it has none.
std::string charset_of(std::string_view content_type);

// The text as UTF-8; as it is where the charset is not known, or is one of many octets to a letter that
// nobody needs for a bounce, and octets that it does not have as '?'.
std::string to_utf8(std::string_view text, const std::string& charset);

}  // namespace relais::explain
