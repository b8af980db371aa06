#include "pop3/command.h"

#include "base/text.h"

namespace relais::pop3 {

Command parse_command(std::string_view line) {
    const std::size_t space = line.find(' ');
    Command command;
    for (const char c : line.substr(0, space))
        command.verb += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    if (space != std::string_view::npos) command.argument = line.substr(space + 1);
    return command;
}

std::optional<std::uint64_t> parse_message_number(std::string_view text) {
    const auto number = parse_number(trim(text));
    if (!number || *number == 0) return std::nullopt;
    return number;
}

std::optional<NumberPair> parse_top(std::string_view text) {
    text = trim(text);
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const auto message = parse_message_number(text.substr(0, space));
    const auto lines = parse_number(trim(text.substr(space)));
    if (!message || !lines) return std::nullopt;
    return NumberPair{*message, *lines};
}

std::optional<NameDigest> parse_apop(std::string_view text) {
    text = trim(text);
    const std::size_t space = text.rfind(' ');
    if (space == std::string_view::npos || text.size() - space != 33) return std::nullopt;
    const std::string_view name = trim(text.substr(0, space));
    const std::string_view digest = text.substr(space + 1);
    if (name.empty() || digest.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
        return std::nullopt;
    return NameDigest{name, digest};
}

}  // namespace relais::pop3
