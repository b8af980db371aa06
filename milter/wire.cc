#include "milter/wire.h"

#include <algorithm>

#include "base/text.h"
#include "mail/address.h"

namespace relais::milter {
namespace {

constexpr std::size_t reply_limit = 400;

void append_be(std::string& to, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>((value >> shift) & 0xff);
}

std::uint32_t get_be(std::string_view from, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | static_cast<unsigned char>(from[at + i]);
    return value;
}

void append_text(std::string& to, std::string_view text) {
    to.append(text.substr(0, text.find('\0'))) += '\0';
}

// A text with its NUL off the front.
std::optional<std::string_view> take_text(std::string_view& data) {
    const std::size_t end = data.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view text = data.substr(0, end);
    data.remove_prefix(end + 1);
    return text;
}

std::optional<std::uint32_t> take_number(std::string_view& data) {
    if (data.size() < 4) return std::nullopt;
    const std::uint32_t number = get_be(data, 0);
    data.remove_prefix(4);
    return number;
}

// RFC 5322, 2.2: what may be the name of a field.
bool is_field_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > 32 && c < 127 && c != ':'; });
}

// Lines that follow begin with a blank, or they would be fields of their own, or end the header.
std::string field_value(std::string_view value) {
    std::string result;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const bool ends = value[i] == '\n' || value[i] == '\r';
        if (value[i] == '\r' && i + 1 < value.size() && value[i + 1] == '\n') ++i;
        if (!ends) {
            result += value[i];
            continue;
        }
        if (i + 1 >= value.size()) break;
        result += '\n';
        if (value[i + 1] != ' ' && value[i + 1] != '\t') result += '\t';
    }
    // A line of blanks alone would end the header for some.
    return std::string(trim(result)).empty() ? "" : result;
}

std::optional<Reply> field_reply(Reply::Kind kind, std::uint32_t number, std::string_view data) {
    const auto name = take_text(data);
    const auto value = name ? take_text(data) : std::nullopt;
    if (!value || !data.empty() || !is_field_name(*name)) return std::nullopt;
    return Reply{kind, number, std::string(*name), field_value(*value)};
}

std::optional<Reply> numbered_field_reply(Reply::Kind kind, std::string_view data) {
    const auto number = take_number(data);
    return number ? field_reply(kind, *number, data) : std::nullopt;
}

// more: arguments of ESMTP may follow; we have no use for them.
std::optional<Reply> address_reply(Reply::Kind kind, std::string_view data, bool more) {
    const auto text = take_text(data);
    if (!text) return std::nullopt;
    if (!data.empty() && (!more || !take_text(data) || !data.empty())) return std::nullopt;
    const auto path = mail::parse_path(*text);
    const bool may_be_empty = kind == Reply::Kind::change_from;
    if (!path || (path->address.empty() && !may_be_empty) || !path->parameters.empty()) return std::nullopt;
    if (path->address.size() > mail::address_limit ||
        path->address.find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos)
        return std::nullopt;
    return Reply{kind, 0, {}, path->address};
}

std::optional<Reply> text_reply(Reply::Kind kind, std::string_view data) {
    const auto text = take_text(data);
    return text && data.empty() ? std::optional(Reply{kind, 0, {}, std::string(*text)}) : std::nullopt;
}

std::optional<Reply> code_reply(std::string_view data) {
    const auto text = take_text(data);
    auto said = text && data.empty() ? reply_text(*text) : std::nullopt;
    return said ? std::optional(Reply{Reply::Kind::code, 0, {}, *std::move(said)}) : std::nullopt;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// "5.7.1" at the front of a text, and what follows; the status is empty if there is none.
std::string_view take_status(std::string_view& text, char kind) {
    const std::string_view word = text.substr(0, text.find(' '));
    const auto parts = split(word, '.');
    const bool fits =
        parts.size() == 3 && parts[0].size() == 1 && parts[0][0] == kind &&
        std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
            return !part.empty() && part.size() <= 3 && std::all_of(part.begin(), part.end(), is_digit);
        });
    if (!fits) return {};
    text = trim(text.substr(word.size()));
    return word;
}

}  // namespace

std::string packet(Command command, std::string_view data) {
    std::string out;
    out.reserve(length_size + 1 + data.size());
    append_be(out, static_cast<std::uint32_t>(data.size() + 1));
    out += static_cast<char>(command);
    return out.append(data);
}

std::string negotiation_packet() {
    std::string data;
    append_be(data, version_offered);
    append_be(data, action::offered);
    append_be(data, step::offered);
    return packet(Command::negotiate, data);
}

std::string macros_packet(Command of, const Macros& macros) {
    std::string data(1, static_cast<char>(of));
    for (const auto& [name, value] : macros) {
        if (value.empty()) continue;
        append_text(data, name.size() > 1 ? "{" + std::string(name) + "}" : std::string(name));
        append_text(data, value);
    }
    return packet(Command::macros, data);
}

std::string connect_packet(std::string_view host, std::string_view ip, std::uint16_t port) {
    std::string data;
    append_text(data, host);
    const bool v6 = ip.find(':') != std::string_view::npos;
    if (ip.find_first_of(".:") == std::string_view::npos) return packet(Command::connect, data += 'U');
    data += v6 ? '6' : '4';
    data += static_cast<char>(port >> 8);
    data += static_cast<char>(port & 0xff);
    append_text(data, v6 ? "IPv6:" + std::string(ip) : std::string(ip));
    return packet(Command::connect, data);
}

std::string path_packet(Command command, std::string_view address, std::string_view parameters) {
    std::string data;
    append_text(data, "<" + mail::quoted_address(address) + ">");
    for (const std::string_view word : split(parameters, ' '))
        if (!word.empty()) append_text(data, word);
    return packet(command, data);
}

std::string header_packet(std::string_view name, std::string_view value, bool leading_space) {
    if (!leading_space && value.starts_with(' ')) value.remove_prefix(1);
    std::string data;
    append_text(data, name);
    append_text(data, value);
    return packet(Command::header, data);
}

std::optional<std::size_t> packet_length(std::string_view head) {
    const std::uint32_t length = head.size() == length_size ? get_be(head, 0) : 0;
    return length > 0 && length <= packet_limit ? std::optional<std::size_t>(length) : std::nullopt;
}

std::optional<Negotiated> decode_negotiation(std::string_view packet) {
    // Names of macros may follow, of a milter that asks for some.
    if (packet.size() < 13 || packet[0] != static_cast<char>(Command::negotiate)) return std::nullopt;
    const Negotiated answer{get_be(packet, 1), get_be(packet, 5), get_be(packet, 9)};
    const bool fits = answer.version >= version_least && answer.version <= version_offered &&
                      (answer.actions & ~action::offered) == 0 && (answer.steps & ~step::offered) == 0;
    return fits ? std::optional(answer) : std::nullopt;
}

std::optional<Reply> decode_reply(std::string_view packet) {
    using Kind = Reply::Kind;
    if (packet.empty()) return std::nullopt;
    const std::string_view data = packet.substr(1);
    const auto bare = [&](Kind kind) { return data.empty() ? std::optional(Reply{kind}) : std::nullopt; };
    switch (packet[0]) {
        case 'c':
            return bare(Kind::go_on);
        case 'a':
            return bare(Kind::accept);
        case 'r':
            return bare(Kind::reject);
        case 't':
            return bare(Kind::tempfail);
        case 'd':
            return bare(Kind::discard);
        case '4':
            return bare(Kind::shutdown);
        case 's':
            return bare(Kind::skip);
        case 'p':
            return bare(Kind::progress);
        case 'y':
            return code_reply(data);
        case 'h':
            return field_reply(Kind::add_header, 0, data);
        case 'i':
            return numbered_field_reply(Kind::insert_header, data);
        case 'm':
            return numbered_field_reply(Kind::change_header, data);
        case '+':
            return address_reply(Kind::add_rcpt, data, false);
        case '2':
            return address_reply(Kind::add_rcpt, data, true);
        case '-':
            return address_reply(Kind::delete_rcpt, data, false);
        case 'e':
            return address_reply(Kind::change_from, data, true);
        case 'b':
            return Reply{Kind::replace_body, 0, {}, std::string(data)};
        case 'q':
            return text_reply(Kind::quarantine, data);
        default:
            return std::nullopt;
    }
}

std::uint32_t needed_action(Reply::Kind kind) {
    switch (kind) {
        case Reply::Kind::add_header:
        case Reply::Kind::insert_header:
            return action::add_header;
        case Reply::Kind::change_header:
            return action::change_header;
        case Reply::Kind::add_rcpt:
            return action::add_rcpt | action::add_rcpt_with;
        case Reply::Kind::delete_rcpt:
            return action::delete_rcpt;
        case Reply::Kind::change_from:
            return action::change_from;
        case Reply::Kind::replace_body:
            return action::change_body;
        case Reply::Kind::quarantine:
            return action::quarantine;
        default:
            return 0;
    }
}

std::optional<std::string> reply_text(std::string_view text) {
    if (text.size() < 3 || (text[0] != '4' && text[0] != '5') || !is_digit(text[1]) || !is_digit(text[2]))
        return std::nullopt;
    const std::string code(text.substr(0, 3));
    std::string words;
    std::string status;
    for (std::string_view line : split(text, '\n')) {
        line = trim(line);
        if (line.empty()) continue;
        if (!line.starts_with(code) || (line.size() > 3 && line[3] != ' ' && line[3] != '-'))
            return std::nullopt;
        line = trim(line.substr(std::min<std::size_t>(line.size(), 4)));
        if (const auto said = take_status(line, code[0]); !said.empty()) status = said;
        if (!line.empty()) words.append(words.empty() ? "" : " ").append(line);
    }
    // sendmail's milters write a percent sign as two.
    for (std::size_t at = 0; (at = words.find("%%", at)) != std::string::npos; ++at) words.erase(at, 1);
    for (char& c : words)
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = '?';
    if (words.empty()) words = "refused by a filter";
    words.resize(std::min(words.size(), reply_limit));
    return code + " " + words + " (#" + (status.empty() ? std::string(1, code[0]) + ".7.1" : status) + ")";
}

}  // namespace relais::milter
