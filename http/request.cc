#include "http/request.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace relais::http {
namespace {

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

bool is_method(std::string_view word) {
    return !word.empty() &&
           std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_field_name(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

// "GET /metrics HTTP/1.1"
bool read_request_line(std::string_view line, Request& request) {
    const auto words = split(line, ' ');
    if (words.size() != 3 || !is_method(words[0]) || !words[1].starts_with('/')) return false;
    if (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0") return false;
    request.method = words[0];
    const std::size_t mark = words[1].find('?');
    request.path = words[1].substr(0, mark);
    if (mark != std::string_view::npos) request.query = words[1].substr(mark + 1);
    return true;
}

bool read_header(std::string_view header, Request& request) {
    if (!is_text(header)) return false;
    const auto lines = split(header, '\n');
    if (!read_request_line(trim(lines.front()), request)) return false;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        std::string_view line = lines[i];
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        // A line that goes on one before it begins with a space, which no name does.
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !is_field_name(line.substr(0, colon))) return false;
        request.fields.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
    }
    return true;
}

std::size_t count_of(const Request& request, std::string_view name) {
    return static_cast<std::size_t>(
        std::count_if(request.fields.begin(), request.fields.end(),
                      [&](const auto& each) { return equal_ignoring_case(each.first, name); }));
}

// What two readers could understand in two ways is understood in none.
bool is_clear(const Request& request) {
    return count_of(request, "content-length") <= 1 && count_of(request, "host") <= 1 &&
           count_of(request, "cookie") <= 1 && count_of(request, "origin") <= 1 &&
           count_of(request, "transfer-encoding") == 0;
}

std::string_view reason_of(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 303:
            return "See Other";
        case 400:
            return "Bad Request";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 413:
            return "Content Too Large";
        case 421:
            return "Misdirected Request";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 503:
            return "Service Unavailable";
        default:
            return "Internal Server Error";
    }
}

int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char small = lower(c);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::optional<std::string> decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i] == '+' ? ' ' : text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = digit_of(text[i + 1]), low = digit_of(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(16 * high + low);
            i += 2;
        }
        if (c == '\0') return std::nullopt;
        out += c;
    }
    return out;
}

}  // namespace

std::string_view Request::field(std::string_view name) const {
    for (const auto& [each, value] : fields)
        if (equal_ignoring_case(each, name)) return value;
    return "";
}

Request parse_request(std::string_view octets, std::size_t body_limit) {
    Request request;
    const std::size_t size = header_size(octets.substr(0, header_limit));
    if (size == 0) {
        if (octets.size() >= header_limit) request.state = Request::State::too_large;
        if (!is_text(octets.substr(0, header_limit))) request.state = Request::State::malformed;
        return request;
    }
    request.state = Request::State::malformed;
    if (!read_header(octets.substr(0, size), request) || !is_clear(request)) return request;
    request.state = Request::State::ready;
    const std::string_view said = request.field("content-length");
    if (body_limit == 0 || said.empty()) return request;
    const auto length = parse_number(said);
    if (!length)
        request.state = Request::State::malformed;
    else if (*length > body_limit)
        request.state = Request::State::too_large;
    else if (octets.size() - size < *length)
        request.state = Request::State::more;
    else
        request.body = octets.substr(size, *length);
    return request;
}

std::string_view cookie(const Request& request, std::string_view name) {
    for (const std::string_view part : split(request.field("cookie"), ';')) {
        const std::string_view pair = trim(part);
        const std::size_t equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == name)
            return pair.substr(equals + 1);
    }
    return "";
}

std::optional<Form> parse_form(std::string_view text, std::size_t most) {
    Form form;
    for (const std::string_view pair : split(text, '&')) {
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        auto name = decode(pair.substr(0, equals));
        auto value = decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
        if (!name || !value || form.size() == most) return std::nullopt;
        form.emplace_back(*std::move(name), *std::move(value));
    }
    return form;
}

std::string_view value_of(const Form& form, std::string_view name) {
    for (const auto& [each, value] : form)
        if (each == name) return value;
    return "";
}

std::string encode_value(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '.' || c == '_';
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

std::string encode(const Response& response, bool without_body) {
    std::string text = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\n", response.status,
                                   reason_of(response.status), response.type);
    // Without a length the body ends with the connection.
    if (!response.stream) text += fmt::format("Content-Length: {}\r\n", response.body.size());
    for (const auto& [name, value] : response.fields) text += fmt::format("{}: {}\r\n", name, value);
    text += "Cache-Control: no-store\r\nConnection: close\r\n\r\n";
    if (!without_body) text += response.body;
    return text;
}

}  // namespace relais::http
