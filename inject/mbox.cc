#include "inject/mbox.h"

#include <fmt/core.h>
#include <time.h>

#include <array>

namespace relais::inject {
namespace {

constexpr std::string_view from = "From ";

enum class Look { like_from, unlike_from, undecided };

// ">" any number of times, then "From ".
Look look_at(std::string_view line) {
    const std::size_t text = line.find_first_not_of('>');
    if (text == std::string_view::npos) return Look::undecided;
    line.remove_prefix(text);
    if (line.starts_with(from)) return Look::like_from;
    return from.starts_with(line) ? Look::undecided : Look::unlike_from;
}

}  // namespace

std::string from_line(std::string_view first_line, std::int64_t unix_seconds) {
    constexpr std::string_view return_path = "Return-Path: <";
    std::string sender = "XXX";
    const std::size_t close = first_line.rfind('>');
    if (first_line.starts_with(return_path) && close != std::string_view::npos &&
        close >= return_path.size()) {
        sender = first_line.substr(return_path.size(), close - return_path.size());
        if (sender.empty()) sender = "MAILER-DAEMON";
        for (char& c : sender)
            if (c == ' ' || c == '\t') c = '-';
    }
    constexpr std::array days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t seconds = unix_seconds;
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("From {} {} {} {:02} {:02}:{:02}:{:02} {}\n", sender,
                       days.at(static_cast<std::size_t>(parts.tm_wday)),
                       months.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_mday, parts.tm_hour,
                       parts.tm_min, parts.tm_sec, parts.tm_year + 1900);
}

std::string MboxQuoter::add(std::string_view data) {
    std::string out;
    while (!data.empty()) {
        const std::size_t end = data.find('\n');
        const bool whole = end != std::string_view::npos;
        const std::string_view piece = data.substr(0, whole ? end + 1 : end);
        data.remove_prefix(piece.size());
        if (!at_line_start_) {
            out += piece;
        } else {
            line_start_ += piece;
            const Look look = look_at(line_start_);
            if (look == Look::undecided && !whole) break;
            if (look == Look::like_from) out += '>';
            out += line_start_;
            line_start_.clear();
        }
        at_line_start_ = whole;
    }
    return out;
}

std::string MboxQuoter::finish() {
    const bool open_line = !at_line_start_ || !line_start_.empty();
    std::string out = std::move(line_start_);
    line_start_.clear();
    at_line_start_ = true;
    return out += open_line ? "\n\n" : "\n";
}

}  // namespace relais::inject
