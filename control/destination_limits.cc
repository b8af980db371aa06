#include "control/destination_limits.h"

#include <algorithm>

#include "base/idna.h"
#include "base/text.h"
#include "control/control_file.h"

namespace relais::control {
namespace {

constexpr std::uint64_t largest = 1'000'000;
constexpr std::size_t fraction_digits = 3;

// Digits, and for the rate a fraction, in thousandths. Empty is 0.
std::optional<std::uint32_t> parse_field(std::string_view field, bool is_rate) {
    field = trim(field);
    if (field.empty()) return 0;
    const std::size_t point = is_rate ? field.find('.') : std::string_view::npos;
    const auto whole = point == 0 ? 0 : parse_number(field.substr(0, point));
    if (!whole || *whole > largest) return std::nullopt;
    if (!is_rate) return static_cast<std::uint32_t>(*whole);
    std::string fraction(point == std::string_view::npos ? "" : field.substr(point + 1));
    if (fraction.size() > fraction_digits || (point != std::string_view::npos && fraction.empty()))
        return std::nullopt;
    fraction.resize(fraction_digits, '0');
    const auto thousandths = parse_number(fraction);
    if (!thousandths) return std::nullopt;
    return static_cast<std::uint32_t>(*whole * 1000 + *thousandths);
}

std::uint32_t smaller(std::uint32_t a, std::uint32_t b) {
    if (a == 0 || b == 0) return std::max(a, b);
    return std::min(a, b);
}

}  // namespace

std::optional<DestinationLimit> parse_destination_limit(std::string_view fields) {
    const auto parts = split(fields, ':');
    if (parts.size() > 3) return std::nullopt;
    const auto field = [&](std::size_t at) {
        return parse_field(at < parts.size() ? parts[at] : std::string_view(), at == 2);
    };
    const auto connections = field(0);
    const auto messages = field(1);
    const auto rate = field(2);
    if (!connections || !messages || !rate) return std::nullopt;
    return DestinationLimit{*connections, *messages, *rate};
}

DestinationLimit stricter(const DestinationLimit& a, const DestinationLimit& b) {
    return {smaller(a.connections, b.connections), smaller(a.messages, b.messages),
            smaller(a.per_thousand_seconds, b.per_thousand_seconds)};
}

DestinationLimits::DestinationLimits(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        // The first of two lines for one domain counts, as in smtproutes.
        if (const auto limit = parse_destination_limit(std::string_view(line).substr(colon + 1)))
            limits_.try_emplace(comparable(trim(std::string_view(line).substr(0, colon))), *limit);
    }
}

DestinationLimits DestinationLimits::read(const Home& home) {
    return DestinationLimits(read_lines(home, "destinationlimits").value_or(std::vector<std::string>()));
}

DestinationLimit DestinationLimits::match(std::string_view domain) const {
    if (limits_.empty()) return {};
    std::string key = comparable(domain);
    if (key.ends_with('.')) key.pop_back();
    for (;;) {
        if (const auto found = limits_.find(key); found != limits_.end()) return found->second;
        if (key.empty()) return {};
        const std::size_t dot = key.find('.', 1);
        key = dot == std::string::npos ? "" : key.substr(dot);
    }
}

}  // namespace relais::control
