#include "smtpd/foreign_protocol.h"

#include <algorithm>
#include <array>

namespace relais::smtpd {
namespace {

// As RFC 9110, 5.6.2 and 9.3 have them: the case of a method's letters counts.
constexpr std::array<std::string_view, 9> methods = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                     "CONNECT", "OPTIONS", "TRACE", "PATCH"};

bool is_token(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

bool is_http_request(std::string_view line) {
    const std::size_t first = line.find(' ');
    if (first == std::string_view::npos) return false;
    if (std::find(methods.begin(), methods.end(), line.substr(0, first)) != methods.end()) return true;
    const std::size_t last = line.rfind(' ');
    return last > first && line.substr(last + 1).starts_with("HTTP/");
}

bool is_proxy_header(std::string_view line) {
    return line.starts_with("PROXY TCP4 ") || line.starts_with("PROXY TCP6 ") ||
           line.starts_with("PROXY UNKNOWN") || line == std::string_view("\0", 1);
}

bool is_header_field(std::string_view line) {
    const std::size_t end = line.find(':');
    return end != std::string_view::npos && end > 0 &&
           std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(end), is_token);
}

}  // namespace relais::smtpd
