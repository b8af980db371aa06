#include "local/variables.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "mail/address.h"

namespace relais::local {
namespace {

std::string line(std::string text, std::string_view end) {
    std::replace(text.begin(), text.end(), '\n', '_');
    return text.append(end);
}

std::string_view after_dash(std::string_view text) {
    const std::size_t dash = text.find('-');
    return dash == std::string_view::npos ? std::string_view() : text.substr(dash + 1);
}

std::string_view before_last_dot(std::string_view text) {
    const std::size_t dot = text.rfind('.');
    return dot == std::string_view::npos ? text : text.substr(0, dot);
}

}  // namespace

std::string delivered_to_line(std::string_view recipient) {
    return line("Delivered-To: " + std::string(recipient), "\n");
}

std::string return_path_line(std::string_view sender) {
    return line("Return-Path: <" + mail::quoted_address(sender), ">\n");
}

std::string from_line(std::string_view sender, std::int64_t unix_seconds) {
    std::string text = "From " + std::string(sender.empty() ? "MAILER-DAEMON" : sender);
    std::replace_if(
        text.begin() + 5, text.end(), [](char c) { return c == ' ' || c == '\t' || c == '\n'; }, '-');
    std::array<char, 64> date{};
    const std::time_t moment = unix_seconds;
    std::tm parts{};
    ::gmtime_r(&moment, &parts);
    // The C locale's names, whatever the environment says: nothing in the suite calls setlocale.
    const std::size_t length = std::strftime(date.data(), date.size(), " %a %b %d %H:%M:%S %Y\n", &parts);
    return text.append(date.data(), length);
}

std::vector<std::pair<std::string, std::string>> delivery_variables(const Names& names) {
    std::vector<std::pair<std::string, std::string>> variables;
    const auto set = [&](const char* name, std::string_view value) {
        variables.emplace_back(name, value.substr(0, value.find('\0')));
    };
    set("SENDER", names.sender);
    set("NEWSENDER", names.new_sender);
    set("RECIPIENT", std::string(names.local).append("@").append(names.domain));
    set("USER", names.user);
    set("HOME", names.home);
    set("LOCAL", names.local);
    std::string_view host = names.domain;
    for (const char* name : {"HOST", "HOST2", "HOST3", "HOST4"}) {
        set(name, host);
        host = before_last_dot(host);
    }
    std::string_view extension = names.extension;
    for (const char* name : {"EXT", "EXT2", "EXT3", "EXT4"}) {
        set(name, extension);
        extension = after_dash(extension);
    }
    set("DTLINE", names.delivered_to);
    set("RPLINE", names.return_path);
    set("UFLINE", names.from);
    if (names.default_part) set("DEFAULT", *names.default_part);
    return variables;
}

}  // namespace relais::local
