// qmail-inject's rules: from the header that came, the header that leaves, the sender and the recipients.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inject/settings.h"

namespace relais::inject {

// Whose addresses are the recipients.
enum class RecipientSource {
    arguments,            // -a
    header,               // -h
    arguments_or_header,  // -A: the arguments if there are any
    both,                 // -H
};

struct Request {
    RecipientSource source = RecipientSource::arguments_or_header;
    std::optional<std::string> sender;  // -f
    std::vector<std::string> arguments;
};

struct Composed {
    std::string header;  // whole, without the blank line
    std::string sender;
    std::vector<std::string> recipients;
};

// fields: as mail::HeaderReader gives them. Throws a permanent Error for a field or an argument that must be
// understood and cannot be.
Composed compose(const std::vector<std::string>& fields, const Request& request, const Settings& settings);

}  // namespace relais::inject
