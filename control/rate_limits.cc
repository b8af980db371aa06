#include "control/rate_limits.h"

#include <array>

#include "base/text.h"
#include "base/words.h"

namespace relais::control {
namespace {

constexpr std::array<std::string_view, 3> things = {"messages", "recipients", "refused"};
constexpr std::array<std::string_view, 3> people = {"network", "login", "domain"};
constexpr std::uint64_t longest = 31 * 86400;
constexpr std::uint64_t most = 1'000'000'000;

template <class Value, std::size_t size>
std::optional<Value> named(const std::array<std::string_view, size>& names, std::string_view word) {
    for (std::size_t i = 0; i < size; ++i)
        if (equal_ignoring_case(names[i], word)) return static_cast<Value>(i);
    return std::nullopt;
}

// "600", "10m", "1h", "1d".
std::optional<std::uint64_t> parse_span(std::string_view text) {
    if (text.empty()) return std::nullopt;
    std::uint64_t unit = 1;
    switch (lower(text.back())) {
        case 'm':
            unit = 60;
            break;
        case 'h':
            unit = 3600;
            break;
        case 'd':
            unit = 86400;
            break;
        default:
            break;
    }
    const auto number = parse_number(unit == 1 ? text : text.substr(0, text.size() - 1));
    if (!number || *number == 0 || *number > longest / unit) return std::nullopt;
    return *number * unit;
}

}  // namespace

std::optional<RateLimit> parse_rate_limit(std::string_view line) {
    const auto words = words_of(line);
    const bool holds = words.size() == 5 && equal_ignoring_case(words[4], "hold");
    if ((words.size() != 4 && !holds) || !equal_ignoring_case(words[1], "of")) return std::nullopt;
    const auto what = named<RateLimit::What>(things, words[0]);
    const auto whom = named<RateLimit::Whom>(people, words[2]);
    const std::size_t slash = words[3].find('/');
    if (!what || !whom || slash == std::string_view::npos) return std::nullopt;
    const auto number = parse_number(words[3].substr(0, slash));
    const auto span = parse_span(words[3].substr(slash + 1));
    if (!number || *number > most || !span) return std::nullopt;
    // Who is refused is not known to be anybody.
    if (*what == RateLimit::What::refused && *whom == RateLimit::Whom::domain) return std::nullopt;
    // A hard budget of nothing would hold a login that has sent nothing.
    if (holds && (*whom != RateLimit::Whom::login || *number == 0)) return std::nullopt;
    return RateLimit{*what, *whom, static_cast<std::uint32_t>(*number), static_cast<std::uint32_t>(*span),
                     holds};
}

std::vector<RateLimit> parse_rate_limits(const std::vector<std::string>& lines) {
    // As many as one question to qmail-countd can ask.
    constexpr std::size_t limits = 16;
    std::vector<RateLimit> result;
    for (const std::string& line : lines)
        if (const auto limit = parse_rate_limit(line); limit && result.size() < limits)
            result.push_back(*limit);
    return result;
}

std::string_view to_text(RateLimit::What what) {
    return things[static_cast<std::size_t>(what)];
}

std::string_view to_text(RateLimit::Whom whom) {
    return people[static_cast<std::size_t>(whom)];
}

}  // namespace relais::control
