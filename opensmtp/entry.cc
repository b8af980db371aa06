#include "opensmtp/entry.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace relais::opensmtp {
namespace {

constexpr std::string_view version = "1";

std::int64_t seconds_of(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec;
}

std::string read_boot_id() {
    const std::string path = "/proc/sys/kernel/random/boot_id";
    const auto content = read_file(path, 256);
    if (!content) throw_errno("open", path, ENOENT);
    return std::string(trim(*content));
}

// A decimal number, perhaps negative, of at most 15 digits: no sum of two of them overflows.
std::optional<std::int64_t> signed_number(std::string_view text) {
    const bool negative = !text.empty() && text.front() == '-';
    if (negative) text.remove_prefix(1);
    const auto value = parse_number(text);
    if (!value || text.size() > 15) return std::nullopt;
    return negative ? -static_cast<std::int64_t>(*value) : static_cast<std::int64_t>(*value);
}

bool is_plain(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 32 || c == 127; });
}

}  // namespace

Moment Moment::now() {
    static const std::string boot_id = read_boot_id();
    return {seconds_of(CLOCK_REALTIME), seconds_of(CLOCK_BOOTTIME), boot_id};
}

std::optional<std::int64_t> age(const Entry& entry, const Moment& now) {
    if (entry.login.boot_id == now.boot_id) {
        const std::int64_t seconds = now.boot - entry.login.boot;
        return seconds >= 0 ? std::optional(seconds) : std::nullopt;
    }
    const std::int64_t seconds = now.wall - entry.login.wall;
    return seconds >= 0 ? std::optional(std::max(seconds, now.boot)) : std::nullopt;
}

std::int64_t wall_of_login(const Entry& entry, const Moment& now) {
    const std::int64_t counted = now.wall - age(entry, now).value_or(0);
    return std::abs(counted - entry.login.wall) <= 1 ? entry.login.wall : counted;
}

bool live(const Entry& entry, std::int64_t lifetime, const Moment& now) {
    const auto seconds = age(entry, now);
    return seconds && *seconds < lifetime;
}

std::string encode(const Entry& entry) {
    std::string content;
    const auto add = [&content](std::string_view field) {
        content += field;
        content += '\0';
    };
    add(version);
    add(entry.user);
    add(entry.service);
    add(std::to_string(entry.login.wall));
    add(entry.login.boot_id);
    add(std::to_string(entry.login.boot));
    return content;
}

std::optional<Entry> decode_entry(std::string address, std::string_view content) {
    if (content.size() > entry_limit || content.empty() || content.back() != '\0') return std::nullopt;
    content.remove_suffix(1);
    const auto fields = split(content, '\0');
    if (fields.size() != 6 || fields[0] != version || !is_user(fields[1]) || !is_service(fields[2]))
        return std::nullopt;
    const auto wall = signed_number(fields[3]);
    const auto boot = signed_number(fields[5]);
    if (!wall || !boot || fields[4].empty() || fields[4].size() > 64 || !is_plain(fields[4]))
        return std::nullopt;
    return Entry{std::move(address),
                 std::string(fields[1]),
                 std::string(fields[2]),
                 {*wall, *boot, std::string(fields[4])}};
}

bool is_user(std::string_view text) {
    return text.size() <= user_limit && is_plain(text);
}

bool is_service(std::string_view text) {
    return !text.empty() && text.size() <= service_limit && is_plain(text);
}

std::string span_text(std::int64_t seconds) {
    struct Unit {
        std::int64_t seconds;
        std::string_view name;
    };
    constexpr std::array<Unit, 4> units = {{{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}}};
    for (std::size_t i = 0; i < units.size(); ++i) {
        if (seconds < units[i].seconds && i + 1 < units.size()) continue;
        std::string text = std::to_string(seconds / units[i].seconds) + std::string(units[i].name);
        const std::int64_t rest = seconds % units[i].seconds;
        // Seconds matter to nobody once minutes have passed.
        if (i + 2 < units.size() && rest >= units[i + 1].seconds)
            text += " " + std::to_string(rest / units[i + 1].seconds) + std::string(units[i + 1].name);
        return text;
    }
    return "";
}

std::string login_text(const Entry& entry, const Moment& now) {
    const auto seconds = age(entry, now);
    const std::string when =
        seconds ? span_text(*seconds) + " ago" : "at a time that the clock has not reached";
    return when + (entry.user.empty() ? "" : " by " + safe_for_log(entry.user)) + " over " +
           safe_for_log(entry.service);
}

}  // namespace relais::opensmtp
