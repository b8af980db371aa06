#include "setup/old_formats.h"

#include <algorithm>

#include "base/text.h"
#include "mail/address.h"

namespace relais::setup {
namespace {

// Before the next NUL; nothing if there is none.
std::optional<std::string_view> take_field(std::string_view& rest) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view field = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return field;
}

std::optional<std::uint32_t> take_number(std::string_view& rest, char letter) {
    const auto field = take_field(rest);
    if (!field || !field->starts_with(letter)) return std::nullopt;
    const auto number = parse_number(field->substr(1));
    if (!number || *number > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

// The digits at the beginning; nothing if there are none, or too many.
std::optional<std::uint32_t> number_at(std::string_view text) {
    const auto number = parse_number(text.substr(0, text.find_first_not_of("0123456789")));
    if (!number || *number > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

}  // namespace

bool is_borrowed(const struct stat& file, const struct stat& directory) {
    return file.st_nlink > 1 && file.st_uid != directory.st_uid;
}

OldRecipients parse_old_recipients(std::string_view file) {
    OldRecipients recipients;
    std::size_t odd = 0;
    while (!file.empty()) {
        const auto field = take_field(file);
        if (!field) {
            recipients.fault = "its last recipient is cut off";
            break;
        }
        const bool known = field->starts_with('T') || field->starts_with('D');
        const std::string_view address = field->substr(std::min<std::size_t>(1, field->size()));
        if (!known || address.empty() || address.size() > mail::address_limit)
            ++odd;
        else
            recipients.all.push_back({std::string(address), field->starts_with('D')});
    }
    if (odd != 0)
        recipients.fault += (recipients.fault.empty() ? "" : ", and ") + std::to_string(odd) +
                            " of its recipients cannot be read";
    return recipients;
}

std::optional<std::string> parse_old_info(std::string_view file) {
    const auto field = take_field(file);
    if (!field || !file.empty() || !field->starts_with('F') || field->size() - 1 > mail::address_limit)
        return std::nullopt;
    return std::string(field->substr(1));
}

std::optional<OldTodo> parse_old_todo(std::string_view file) {
    OldTodo todo;
    const auto uid = take_number(file, 'u');
    const auto pid = uid ? take_number(file, 'p') : std::nullopt;
    const auto sender = pid ? take_field(file) : std::nullopt;
    if (!sender || !sender->starts_with('F') || sender->size() - 1 > mail::address_limit) return std::nullopt;
    todo.uid = *uid;
    todo.pid = *pid;
    todo.sender = sender->substr(1);
    todo.recipients = parse_old_recipients(file);
    for (OldRecipient& recipient : todo.recipients.all) recipient.done = false;
    return todo;
}

// "Received: (qmail PID invoked by uid U); DATE", or "from network", "for bounce", "by alias".
OldOrigin parse_old_trace(std::string_view beginning) {
    constexpr std::string_view opening = "Received: (qmail ", middle = " invoked ";
    OldOrigin found;
    if (!beginning.starts_with(opening)) return found;
    std::string_view rest = beginning.substr(opening.size());
    const auto pid = number_at(rest);
    const std::size_t at = rest.find(middle);
    if (!pid || at == std::string_view::npos || at > 10) return found;
    rest.remove_prefix(at + middle.size());
    found.pid = *pid;
    if (rest.starts_with("for bounce)")) {
        found.origin = queue::Origin::bounce;
    } else if (rest.starts_with("by uid ")) {
        if (const auto uid = number_at(rest.substr(7))) {
            found.origin = queue::Origin::user;
            found.uid = *uid;
        }
    }
    return found;
}

std::vector<std::string> bounced_addresses(std::string_view text) {
    std::vector<std::string> all;
    bool begins = true;  // a paragraph
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (begins && line.starts_with('<') && line.ends_with(">:") && line.size() - 3 <= mail::address_limit)
            all.emplace_back(line.substr(1, line.size() - 3));
        begins = line.empty();
    }
    return all;
}

Prefixes virtual_prefixes(const std::vector<std::string>& virtualdomains) {
    Prefixes all;
    for (const std::string& line : virtualdomains) {
        const std::size_t colon = line.find(':');
        if (colon != std::string::npos && colon + 1 != line.size()) all.insert(line.substr(colon + 1));
    }
    return all;
}

// Each dash is looked at once: a host has many domains, and a queue many recipients.
std::string without_prefix(const send::RewriteRules& rules, const Prefixes& prefixes,
                           const std::string& address) {
    for (std::size_t dash = address.find('-'); dash != std::string::npos;
         dash = address.find('-', dash + 1)) {
        if (!prefixes.contains(std::string_view(address).substr(0, dash))) continue;
        const std::string before = address.substr(dash + 1);
        const send::Route route = send::rewrite(rules, before);
        if (route.is_local() && route.address == address) return before;
    }
    return address;
}

}  // namespace relais::setup
