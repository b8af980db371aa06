#include "metrics/request.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace relais::metrics {
namespace {

constexpr std::string_view openmetrics_type = "application/openmetrics-text";

// How many octets the header has, with the empty line at its end; 0: it is not there yet.
std::size_t header_size(std::string_view octets) {
    const std::size_t strict = octets.find("\r\n\r\n");
    const std::size_t loose = octets.find("\n\n");
    if (strict == std::string_view::npos && loose == std::string_view::npos) return 0;
    return strict < loose ? strict + 4 : loose + 2;
}

bool is_text(std::string_view octets) {
    return std::all_of(octets.begin(), octets.end(), [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return (octet >= 32 && octet != 127) || c == '\r' || c == '\n' || c == '\t';
    });
}

bool is_token(std::string_view word) {
    return !word.empty() &&
           std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// "GET /metrics HTTP/1.1"
bool read_request_line(std::string_view line, Request& request) {
    const auto words = split(line, ' ');
    if (words.size() != 3 || !is_token(words[0]) || !words[1].starts_with('/')) return false;
    if (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0") return false;
    request.method = words[0];
    request.path = words[1].substr(0, words[1].find('?'));
    return true;
}

std::string_view reason_of(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 400:
            return "Bad Request";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 431:
            return "Request Header Fields Too Large";
        default:
            return "Internal Server Error";
    }
}

}  // namespace

Request parse_request(std::string_view octets) {
    Request request;
    const std::size_t size = header_size(octets.substr(0, request_limit));
    if (size == 0) {
        if (octets.size() >= request_limit) request.state = Request::State::too_large;
        if (!is_text(octets.substr(0, request_limit))) request.state = Request::State::malformed;
        return request;
    }
    const auto lines = split(octets.substr(0, size), '\n');
    request.state = is_text(octets.substr(0, size)) && read_request_line(trim(lines.front()), request)
                        ? Request::State::ready
                        : Request::State::malformed;
    for (const std::string_view line : lines)
        if (starts_ignoring_case(line, "accept:") && line.find(openmetrics_type) != std::string_view::npos)
            request.form = Form::openmetrics;
    return request;
}

std::string encode(const Response& response, bool without_body) {
    std::string text = fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: "
        "no-store\r\n{}Connection: "
        "close\r\n\r\n",
        response.status, reason_of(response.status), response.type, response.body.size(),
        response.status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (!without_body) text += response.body;
    return text;
}

}  // namespace relais::metrics
