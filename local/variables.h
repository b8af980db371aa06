// The lines and environment variables that a local delivery makes from envelope and user: qmail-local(8).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relais::local {

// "Delivered-To: RECIPIENT" and a line end; a message that has this line already is looping.
std::string delivered_to_line(std::string_view recipient);
// "Return-Path: <SENDER>" and a line end.
std::string return_path_line(std::string_view sender);
// "From SENDER DATE" and a line end, as it separates messages in an mbox.
std::string from_line(std::string_view sender, std::int64_t unix_seconds);

struct Names {
    std::string_view user;
    std::string_view home;
    std::string_view local;
    std::string_view domain;
    std::string_view extension;
    std::string_view sender;
    std::string_view new_sender;
    std::string_view delivered_to;
    std::string_view return_path;
    std::string_view from;
    std::optional<std::string_view> default_part;
};

// SENDER, NEWSENDER, RECIPIENT, USER, HOME, HOST to HOST4, LOCAL, EXT to EXT4, DTLINE, RPLINE, UFLINE, and
// DEFAULT if there is one. Values are cut at a NUL.
std::vector<std::pair<std::string, std::string>> delivery_variables(const Names& names);

}  // namespace relais::local
