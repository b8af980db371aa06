// The little of HTTP that qmail-metrics reads: one request without a body. Pure; the octets are foreign.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "metrics/text.h"

namespace relais::metrics {

inline constexpr std::size_t request_limit = 8192;

struct Request {
    enum class State {
        more,       // its end is not there yet
        ready,      //
        malformed,  // no request line of HTTP/1.0 or 1.1, or octets that no header has
        too_large,  // beyond request_limit
    } state = State::more;
    std::string_view method{};     // into the octets
    std::string_view path{};       // without what follows a '?'
    Form form = Form::prometheus;  // the better one of those that Accept names
};

Request parse_request(std::string_view octets);

struct Response {
    int status = 200;
    std::string_view type = "text/plain; charset=utf-8";
    std::string body{};
};
// The whole answer; the connection ends with it. without_body: to HEAD.
std::string encode(const Response& response, bool without_body);

}  // namespace relais::metrics
