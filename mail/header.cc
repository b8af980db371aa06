#include "mail/header.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace relais::mail {
namespace {

// Longer than "Delivered-To:" with a few blanks.
constexpr std::size_t name_window = 32;

bool is_blank_line(std::string_view line) {
    return line == "\n" || line == "\r\n";
}

}  // namespace

std::optional<std::string_view> field_name(std::string_view line) {
    std::size_t length = 0;
    while (length < line.size() && line[length] > 32 && line[length] < 127 && line[length] != ':') ++length;
    const std::size_t colon = line.find_first_not_of(" \t", length);
    if (length == 0 || colon == std::string_view::npos || line[colon] != ':') return std::nullopt;
    return line.substr(0, length);
}

std::string_view field_body(std::string_view field) {
    return field.substr(field.find(':') + 1);
}

HeaderReader::State HeaderReader::add(std::string_view data) {
    while (!done_) {
        const std::size_t end = data.find('\n');
        const std::string_view piece = data.substr(0, end == std::string_view::npos ? end : end + 1);
        size_ += piece.size();
        if (size_ > limit_) return State::too_long;
        partial_ += piece;
        data.remove_prefix(piece.size());
        if (end == std::string_view::npos) return State::more;
        const std::string line = std::exchange(partial_, {});
        done_ = !take_line(line);
    }
    rest_ += data;
    return State::done;
}

HeaderReader::State HeaderReader::finish() {
    if (done_ || partial_.empty()) return State::done;
    std::string line = std::exchange(partial_, {});
    const bool in_field = (!fields_.empty() && (line[0] == ' ' || line[0] == '\t')) || field_name(line) ||
                          line.starts_with("From ");
    // A field needs its line end; a body stays as it came.
    if (in_field) line += '\n';
    done_ = !take_line(line);
    return State::done;
}

bool HeaderReader::take_line(std::string_view line) {
    if (is_blank_line(line)) {
        rest_ += line;
        return false;
    }
    if (!fields_.empty() && (line.front() == ' ' || line.front() == '\t')) {
        fields_.back() += line;
    } else if (line.starts_with("From ")) {
        fields_.push_back("MBOX-Line: " + std::string(line));
    } else if (field_name(line)) {
        fields_.emplace_back(line);
    } else {
        rest_.append("\n").append(line);
        return false;
    }
    return true;
}

void HopCounter::add(std::string_view data) {
    while (!data.empty() && !header_ended_) {
        const std::size_t end = data.find('\n');
        if (in_line_start_) {
            line_start_ += data.substr(0, std::min(end, name_window - line_start_.size()));
            if (end != std::string_view::npos || line_start_.size() == name_window) end_of_line_start();
        }
        if (end == std::string_view::npos) return;
        data.remove_prefix(end + 1);
        in_line_start_ = true;
        line_start_.clear();
    }
}

void HopCounter::end_of_line_start() {
    in_line_start_ = false;
    header_ended_ = line_start_.empty() || line_start_ == "\r";
    const auto name = field_name(line_start_);
    if (name && (equal_ignoring_case(*name, "Received") || equal_ignoring_case(*name, "Delivered-To")))
        ++hops_;
}

std::string make_message_id(std::int64_t unix_seconds, std::uint64_t number, std::string_view host) {
    const time_t seconds = unix_seconds;
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("<{:04}{:02}{:02}{:02}{:02}{:02}.{}.qmail@{}>", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, number, host);
}

}  // namespace relais::mail
