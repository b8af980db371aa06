#include "mail/transfer.h"

#include <algorithm>
#include <ctime>

#include "base/text.h"

namespace relais::mail {
namespace {

constexpr std::size_t digits_limit = 9;  // of intervals, in both RFCs

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// One to nine digits.
std::optional<std::int64_t> parse_interval(std::string_view text) {
    if (text.empty() || text.size() > digits_limit || !std::all_of(text.begin(), text.end(), is_digit))
        return std::nullopt;
    return static_cast<std::int64_t>(*parse_number(text));
}

// So many digits at the beginning, up to that value; they are taken off.
std::optional<int> take_digits(std::string_view& text, std::size_t count, int least, int most) {
    const std::string_view digits = text.substr(0, count);
    const auto number = digits.size() == count ? parse_interval(digits) : std::nullopt;
    if (!number || *number < least || *number > most) return std::nullopt;
    text.remove_prefix(count);
    return static_cast<int>(*number);
}

bool take_char(std::string_view& text, std::string_view one_of) {
    if (text.empty() || one_of.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

int days_of_month(int year, int month) {
    constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

// "Z", "+01:00": seconds east of Greenwich.
std::optional<std::int64_t> parse_offset(std::string_view text) {
    if (text == "Z" || text == "z") return 0;
    const bool west = text.starts_with('-');
    if (!take_char(text, "+-")) return std::nullopt;
    const auto hour = take_digits(text, 2, 0, 23);
    if (!hour || !take_char(text, ":")) return std::nullopt;
    const auto minute = take_digits(text, 2, 0, 59);
    if (!minute || !text.empty()) return std::nullopt;
    const std::int64_t offset = *hour * 3600 + *minute * 60;
    return west ? -offset : offset;
}

// "RT", "n"
bool take_mode(std::string_view text, DeliverBy& by) {
    if (text.empty() || text.size() > 2) return false;
    by.returns = lower(text[0]) == 'r';
    by.trace = text.size() == 2;
    return (by.returns || lower(text[0]) == 'n') && (!by.trace || lower(text[1]) == 't');
}

std::optional<DeliverBy> parse_by(std::string_view value) {
    const std::size_t end = value.find(';');
    DeliverBy by;
    if (end == std::string_view::npos || !take_mode(value.substr(end + 1), by)) return std::nullopt;
    std::string_view time = value.substr(0, end);
    const bool negative = time.starts_with('-');
    take_char(time, "+-");
    const auto seconds = parse_interval(time);
    if (!seconds) return std::nullopt;
    by.when = negative ? -*seconds : *seconds;
    // RFC 2852, 4: what is to go back must have some time.
    return by.returns && by.when <= 0 ? std::nullopt : std::optional(by);
}

std::string mode_text(const DeliverBy& by) {
    return std::string(by.returns ? "R" : "N") + (by.trace ? "T" : "");
}

template <class Value>
bool keep(std::optional<Value>& place, std::optional<Value> value) {
    if (place || !value) return false;
    place = std::move(value);
    return true;
}

}  // namespace

std::optional<DeliverBy> parse_deliver_by(std::string_view text) {
    const std::size_t blank = text.find(' ');
    const auto when = parse_number(text.substr(0, blank));
    DeliverBy by;
    if (blank == std::string_view::npos || !when || *when > static_cast<std::uint64_t>(last_second) ||
        !take_mode(text.substr(blank + 1), by))
        return std::nullopt;
    by.when = static_cast<std::int64_t>(*when);
    return by;
}

std::string deliver_by_text(const DeliverBy& by) {
    return std::to_string(by.when) + " " + mode_text(by);
}

std::string by_value(const DeliverBy& by, std::int64_t now) {
    constexpr std::int64_t most = 999'999'999;
    return std::to_string(std::clamp(by.when - now, -most, most)) + ";" + mode_text(by);
}

std::optional<int> parse_priority(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    if (text.size() != 1 || !is_digit(text[0]) || (negative && text == "0")) return std::nullopt;
    return negative ? -(text[0] - '0') : text[0] - '0';
}

std::optional<std::int64_t> parse_date_3339(std::string_view text) {
    std::tm parts{};
    const auto year = take_digits(text, 4, 0, 9999);
    if (!year || !take_char(text, "-")) return std::nullopt;
    const auto month = take_digits(text, 2, 1, 12);
    if (!month || !take_char(text, "-")) return std::nullopt;
    const auto day = take_digits(text, 2, 1, days_of_month(*year, *month));
    if (!day || !take_char(text, "Tt")) return std::nullopt;
    const auto hour = take_digits(text, 2, 0, 23);
    if (!hour || !take_char(text, ":")) return std::nullopt;
    const auto minute = take_digits(text, 2, 0, 59);
    if (!minute || !take_char(text, ":")) return std::nullopt;
    const auto second = take_digits(text, 2, 0, 60);  // a leap second
    if (!second) return std::nullopt;
    if (take_char(text, ".")) {
        const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
        if (digits == 0) return std::nullopt;
        text.remove_prefix(digits);
    }
    const auto offset = parse_offset(text);
    if (!offset) return std::nullopt;
    parts.tm_year = *year - 1900;
    parts.tm_mon = *month - 1;
    parts.tm_mday = *day;
    parts.tm_hour = *hour;
    parts.tm_min = *minute;
    parts.tm_sec = *second;
    return static_cast<std::int64_t>(::timegm(&parts)) - *offset;
}

std::string date_3339(std::int64_t unix_seconds) {
    const std::time_t time = unix_seconds;
    std::tm parts{};
    char text[32] = "";
    if (::gmtime_r(&time, &parts) == nullptr ||
        std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        return {};
    return text;
}

std::optional<bool> take_transfer_parameter(std::string_view keyword, std::string_view value,
                                            TransferRequest& request) {
    if (equal_ignoring_case(keyword, "HOLDFOR")) {
        const auto seconds = parse_interval(value);
        return !request.holds() && seconds && *seconds > 0 && keep(request.hold_for, seconds);
    }
    if (equal_ignoring_case(keyword, "HOLDUNTIL"))
        return !request.holds() && keep(request.hold_until, parse_date_3339(value));
    if (equal_ignoring_case(keyword, "BY")) return keep(request.by, parse_by(value));
    if (equal_ignoring_case(keyword, "MT-PRIORITY")) return keep(request.priority, parse_priority(value));
    return std::nullopt;
}

}  // namespace relais::mail
