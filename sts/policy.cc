#include "sts/policy.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "net/dns_name.h"

namespace relais::sts {
namespace {

constexpr std::string_view version = "STSv1";

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

std::string_view without_blanks(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

std::optional<Mode> parse_mode(std::string_view text) {
    for (const Mode mode : {Mode::none, Mode::testing, Mode::enforce})
        if (text == name_of(mode)) return mode;
    return std::nullopt;
}

std::optional<std::string> parse_pattern(std::string_view text) {
    std::string pattern = lower(text);
    if (pattern.ends_with('.')) pattern.pop_back();
    const std::string_view name = std::string_view(pattern).substr(pattern.starts_with("*.") ? 2 : 0);
    if (!net::is_askable_name(name)) return std::nullopt;
    return pattern;
}

// What a policy's lines have said so far; the first of a field counts, but for mx.
struct Fields {
    bool versioned = false;
    std::optional<std::string_view> mode;
    std::optional<std::string_view> max_age;
    std::vector<std::string> mx;

    // False if the line makes the whole of it no policy.
    bool take(std::string_view line) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return false;
        const std::string_view field = without_blanks(line.substr(0, colon));
        const std::string_view value = without_blanks(line.substr(colon + 1));
        if (!versioned) return versioned = field == "version" && value == version;
        if (field == "mode" && !mode) mode = value;
        if (field == "max_age" && !max_age) max_age = value;
        if (field != "mx") return true;
        auto pattern = parse_pattern(value);
        if (!pattern || mx.size() >= patterns_limit) return false;
        mx.push_back(*std::move(pattern));
        return true;
    }
};

// The value of a tag of "v=STSv1; id=1;", without blanks around.
std::optional<std::string> id_of(std::string_view record) {
    std::optional<std::string> id;
    bool first = true;
    for (const std::string_view part : split(record, ';')) {
        const std::string_view tag = without_blanks(part);
        if (std::exchange(first, false)) {
            if (tag != "v=STSv1") return std::nullopt;
            continue;
        }
        const std::size_t equals = tag.find('=');
        if (id || equals == std::string_view::npos || without_blanks(tag.substr(0, equals)) != "id") continue;
        id = std::string(without_blanks(tag.substr(equals + 1)));
    }
    const auto is_letter_or_digit = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (!id || id->empty() || id->size() > id_limit ||
        !std::all_of(id->begin(), id->end(), is_letter_or_digit))
        return std::nullopt;
    return id;
}

// A record that says it is of MTA-STS, however wrong the rest is.
bool is_of_sts(std::string_view record) {
    return without_blanks(record.substr(0, record.find(';'))) == "v=STSv1" &&
           record.find(';') != std::string_view::npos;
}

}  // namespace

std::string_view name_of(Mode mode) {
    switch (mode) {
        case Mode::testing:
            return "testing";
        case Mode::enforce:
            return "enforce";
        case Mode::none:
            break;
    }
    return "none";
}

std::optional<Policy> parse_policy(std::string_view text) {
    if (text.size() > policy_limit) return std::nullopt;
    Fields fields;
    for (std::string_view line : split(text, '\n')) {
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!without_blanks(line).empty() && !fields.take(line)) return std::nullopt;
    }
    if (!fields.mode || !fields.max_age) return std::nullopt;
    const auto mode = parse_mode(*fields.mode);
    const auto max_age = fields.max_age->size() <= 10 ? parse_number(*fields.max_age) : std::nullopt;
    if (!mode || !max_age || (fields.mx.empty() && *mode != Mode::none)) return std::nullopt;
    return Policy{*mode, static_cast<std::uint32_t>(std::min<std::uint64_t>(*max_age, longest_age)),
                  std::move(fields.mx)};
}

std::string text_of(const Policy& policy) {
    std::string text = "version: STSv1\r\nmode: " + std::string(name_of(policy.mode)) + "\r\n";
    for (const std::string& pattern : policy.mx) text += "mx: " + pattern + "\r\n";
    return text + "max_age: " + std::to_string(policy.max_age) + "\r\n";
}

std::optional<std::string> policy_id(const std::vector<std::string>& records) {
    std::optional<std::string> id;
    std::size_t found = 0;
    for (const std::string& record : records) {
        if (!is_of_sts(record)) continue;
        if (++found > 1) return std::nullopt;
        id = id_of(record);
    }
    return id;
}

bool admits(const Policy& policy, std::string_view server) {
    std::string name = lower(server);
    if (name.ends_with('.')) name.pop_back();
    const std::size_t dot = name.find('.');
    return std::any_of(policy.mx.begin(), policy.mx.end(), [&](const std::string& pattern) {
        if (!pattern.starts_with("*.")) return pattern == name;
        return dot != 0 && dot != std::string::npos &&
               std::string_view(name).substr(dot) == std::string_view(pattern).substr(1);
    });
}

}  // namespace relais::sts
