// The little of HTTP/1.1 that our servers read: one request a connection, its header, and a body whose length
// is said. Pure; the octets are foreign.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relais::http {

inline constexpr std::size_t header_limit = 8192;

struct Request {
    enum class State {
        more,       // its end is not there yet
        ready,      //
        malformed,  // no request line of HTTP/1.0 or 1.1, octets that no header has, or a length told twice
        too_large,  // a header beyond header_limit, or a body beyond what was allowed
    } state = State::more;
    std::string_view method{};  // all of these point into the octets
    std::string_view path{};    // without what follows a '?'
    std::string_view query{};   // what follows it
    std::vector<std::pair<std::string_view, std::string_view>> fields{};
    std::string_view body{};

    // The value of the first header field of that name, in any case of letters; "" if there is none.
    std::string_view field(std::string_view name) const;
};

// body_limit: in octets; 0: the request ends with its header, whatever that says of a body.
Request parse_request(std::string_view octets, std::size_t body_limit = 0);

// The value of that cookie; "" if there is none.
std::string_view cookie(const Request& request, std::string_view name);

// What a form sends (application/x-www-form-urlencoded), or a query has, in its order. Nothing for more than
// most fields, a name or value with a NUL in it, or a '%' without two digits.
using Form = std::vector<std::pair<std::string, std::string>>;
std::optional<Form> parse_form(std::string_view text, std::size_t most);
// The first value of that name, "" if there is none.
std::string_view value_of(const Form& form, std::string_view name);
// The text as a value in a query.
std::string encode_value(std::string_view text);

struct Response {
    int status = 200;
    std::string_view type = "text/plain; charset=utf-8";
    std::string body{};
    // Further lines of the header. What stands in them comes from us.
    std::vector<std::pair<std::string_view, std::string>> fields{};
    bool stream = false;  // its body goes on (http/server.h)
};
// The whole answer; the connection ends with it. without_body: to HEAD.
std::string encode(const Response& response, bool without_body);

}  // namespace relais::http
