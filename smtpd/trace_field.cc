#include "smtpd/trace_field.h"

#include <fmt/core.h>

#include "base/text.h"
#include "base/time.h"
#include "mail/address.h"

namespace relais::smtpd {
namespace {

bool is_safe(char c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    return std::string_view(".@%+/=:-").find(c) != std::string_view::npos;
}

// So long is a name of the DNS; what is longer must not make a line of more than 998 octets (RFC 5322,
// 2.1.1).
constexpr std::size_t name_limit = 255;

std::string safe(std::string_view text) {
    std::string result(text.substr(0, name_limit));
    for (char& c : result)
        if (!is_safe(c)) c = '?';
    return result;
}

// An address literal (RFC 5321, 4.1.3) keeps its brackets.
std::string named(const std::string& helo) {
    if (!mail::address_literal(helo)) return safe(helo);
    return "[" + safe(std::string_view(helo).substr(1, helo.size() - 2)) + "]";
}

}  // namespace

std::string trace_field(const policy::Client& client, const std::optional<std::string>& helo,
                        std::string_view protocol, std::int64_t unix_seconds, std::string_view session,
                        int priority) {
    const std::string host = client.host.value_or("unknown");
    std::string field = "Received: from " + safe(host);
    if (helo && !equal_ignoring_case(*helo, host)) field += " (HELO " + named(*helo) + ")";
    field += " (";
    if (client.info) field += safe(*client.info) + "@";
    field += fmt::format("{})\n  by {} with {}", safe(client.ip), safe(client.local_name), protocol);
    if (!session.empty()) field += fmt::format(" id {}", session);
    if (priority != 0) field += fmt::format(" PRIORITY {}", priority);
    return field + "; " + date_822(unix_seconds) + "\n";
}

}  // namespace relais::smtpd
