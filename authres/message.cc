#include "authres/message.h"

#include <algorithm>

#include "mail/header.h"

namespace relais::authres {
namespace {

constexpr std::size_t piece_size = 65536;

}  // namespace

void MessageReader::add(std::string_view data) {
    if (in_header_) add_header(data);
    if (!in_header_) add_body(data);
}

void MessageReader::add_header(std::string_view& data) {
    while (in_header_ && !data.empty()) {
        const std::size_t end = data.find('\n');
        const std::size_t size = end == std::string_view::npos ? data.size() : end + 1;
        // Of what is too large only the blank line is still of interest.
        if (!skipping_) line_ += data.substr(0, size);
        data.remove_prefix(size);
        if (line_.size() > limit_) {
            header_.too_large = skipping_ = true;
            line_.clear();
        }
        if (end == std::string_view::npos) return;
        if (!skipping_ && !take_line(line_)) end_header();
        skipping_ = false;
        line_.clear();
    }
}

bool MessageReader::take_line(std::string_view line) {
    line.remove_suffix(line.ends_with("\r\n") ? 2 : line.ends_with('\n') ? 1 : 0);
    const bool first = first_line_;
    first_line_ = false;
    if (line.empty()) return false;
    if (first && (line.starts_with("From ") || line.starts_with(">From "))) return true;
    const bool folded = (line.front() == ' ' || line.front() == '\t') && !header_.fields.empty();
    const auto name = folded ? std::nullopt : mail::field_name(line);
    if (!folded && !name) {
        add_body(line);
        add_body("\n");
        return false;
    }
    size_ += line.size() + 2;
    if (size_ > limit_) header_.too_large = true;
    if (header_.too_large) return true;
    if (!folded) header_.fields.push_back({std::string(*name), ""});
    header_.fields.back().text.append(line).append("\r\n");
    return true;
}

void MessageReader::end_header() {
    in_header_ = false;
    sink_.header(header_);
}

void MessageReader::finish() {
    if (in_header_) {
        if (!line_.empty() && !skipping_) take_line(line_);
        end_header();
    }
    if (held_cr_) ready_ += '\r';
    held_cr_ = false;
    flush_body();
}

void MessageReader::add_body(std::string_view data) {
    while (!data.empty()) {
        if (held_cr_ && data.front() != '\n') ready_ += '\r';
        held_cr_ = false;
        const std::size_t end = data.find('\n');
        std::string_view line = data.substr(0, end);
        data.remove_prefix(end == std::string_view::npos ? data.size() : end + 1);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
            held_cr_ = end == std::string_view::npos;
        }
        ready_ += line;
        if (end != std::string_view::npos) ready_ += "\r\n";
        if (ready_.size() >= piece_size) flush_body();
    }
}

void MessageReader::flush_body() {
    if (in_header_ || ready_.empty()) return;
    sink_.body(ready_);
    ready_.clear();
}

}  // namespace relais::authres
