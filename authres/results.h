// The field Authentication-Results (RFC 8601), written and read. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "authres/message.h"

namespace relais::authres {

struct MethodResult {
    std::string method;     // "spf", "dkim" ...
    std::string result;     // "pass" ...
    std::string comment{};  // without parentheses
    std::string reason{};
    std::vector<std::pair<std::string, std::string>> properties{};  // "smtp.mailfrom", "a@example.org"
};

struct AuthenticationResults {
    std::string server;  // authserv-id
    std::vector<MethodResult> methods;
};

// What stands behind "SERVER;": "none" without methods. Octets that a field must not have are written as '?'.
std::string results_text(const AuthenticationResults& results);
// Text for the inside of a comment (RFC 5322, 3.2.2): one line of ASCII, parentheses quoted.
std::string comment_text(std::string_view text);
// The whole field, folded, lines ended by CR LF.
std::string results_field(const AuthenticationResults& results);

// The body of such a field, with comments anywhere, by its grammar; versions other than 1, and what does not
// follow the grammar, are nothing. Comments are dropped.
std::optional<AuthenticationResults> parse_results(std::string_view body);
// Only its server, in lower case, also where the rest cannot be read: forged fields of our name are found by
// it.
std::optional<std::string> results_server(std::string_view body);
// What the fields of that server say, as they say it, for a new ARC set: what stands behind its name, joined;
// "none" without any.
std::string merged_results(const std::vector<HeaderField>& fields, std::string_view server);

}  // namespace relais::authres
