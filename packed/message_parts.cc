#include "packed/message_parts.h"

#include <algorithm>

#include "base/text.h"
#include "mail/header.h"
#include "sasl/base64.h"

namespace relais::packed {
namespace {

constexpr std::size_t header_limit = std::size_t{256} << 10;

// Where the body begins. One look along the header, for a thousand parts may have one each.
std::size_t behind_empty_line(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
        const std::string_view line = text.substr(at, end - at);
        at = end;
        if (line == "\n" || line == "\r\n") break;
    }
    return at;
}

// Fills in what matters of the header, of a message or of a part. How long it is, with the empty line.
std::size_t read_head(std::string_view text, Part& part) {
    mail::HeaderReader reader(header_limit);
    if (reader.add(text.substr(0, header_limit)) == mail::HeaderReader::State::more) reader.finish();
    for (const std::string& field : reader.fields()) {
        const auto name = mail::field_name(field);
        if (!name) continue;
        const std::string body = lower(trim(mail::field_body(field)));
        if (equal_ignoring_case(*name, "Content-Type")) part.type = body;
        if (equal_ignoring_case(*name, "Content-Disposition")) part.disposition = body;
        if (equal_ignoring_case(*name, "Content-Transfer-Encoding")) part.base64 = body == "base64";
    }
    return behind_empty_line(text.substr(0, header_limit));
}

// Where the next line that begins with "--" begins, or the end.
std::size_t next_boundary(std::string_view text) {
    if (text.starts_with("--")) return 0;
    const std::size_t found = text.find("\n--");
    return found == std::string_view::npos ? text.size() : found + 1;
}

}  // namespace

std::vector<Part> parts_of(std::string_view message) {
    std::vector<Part> parts;
    while (!message.empty() && parts.size() < parts_limit) {
        Part part;
        message.remove_prefix(read_head(message, part));
        // A message that was passed on as an attachment: its own header follows.
        const bool has_header = part.type.starts_with("message/rfc822");
        const std::size_t end = has_header ? 0 : next_boundary(message);
        part.body = message.substr(0, end);
        parts.push_back(std::move(part));
        if (has_header) continue;
        message.remove_prefix(end);
        // The boundary's own line.
        const std::size_t line = message.find('\n');
        message.remove_prefix(line == std::string_view::npos ? message.size() : line + 1);
    }
    return parts;
}

std::optional<std::string> octets_of(const Part& part) {
    if (!part.base64) return std::string(trim(part.body));
    std::string text(part.body);
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == ' ' || c == '\t'; });
    return sasl::decode_base64(text);
}

}  // namespace relais::packed
