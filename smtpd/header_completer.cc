#include "smtpd/header_completer.h"

#include <sodium.h>
#include <unistd.h>

#include <utility>

#include "base/text.h"
#include "base/time.h"

namespace relais::smtpd {
namespace {

// The name of a field, or nothing for a line that is none (RFC 5322, 2.2).
std::string_view field_name(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return {};
    std::string_view name = line.substr(0, colon);
    while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
    for (const char c : name)
        if (c <= ' ' || c >= '\x7f') return {};
    return name;
}

}  // namespace

void HeaderCompleter::feed(std::string& text) {
    if (!in_header_) return;
    kept_ += text;
    text.clear();
    if (!read_lines() && kept_.size() <= header_limit) return;
    text = finish();
}

bool HeaderCompleter::read_lines() {
    for (;;) {
        const std::size_t end = kept_.find('\n', read_);
        if (end == std::string::npos) return false;
        const std::string_view line = std::string_view(kept_).substr(read_, end - read_);
        const bool folded = any_field_ && !line.empty() && (line[0] == ' ' || line[0] == '\t');
        const std::string_view name = folded ? line : field_name(line);
        if (name.empty()) return true;
        read_ = end + 1;
        any_field_ = true;
        if (folded) continue;
        date_ = date_ || equal_ignoring_case(name, "Date");
        message_id_ = message_id_ || equal_ignoring_case(name, "Message-ID");
    }
}

std::string HeaderCompleter::finish() {
    if (!in_header_) return {};
    in_header_ = false;
    std::string result = kept_.size() > header_limit ? "" : missing();
    // What begins with no field has no header: it gets one, and the line that ends it.
    if (!result.empty() && !any_field_ && !kept_.starts_with('\n')) result += '\n';
    result += std::exchange(kept_, {});
    return result;
}

std::string HeaderCompleter::missing() const {
    std::string fields;
    if (!date_) fields += "Date: " + date_822(unix_seconds_) + "\n";
    if (message_id_ || ::sodium_init() < 0) return fields;
    return fields + "Message-ID: <" + std::to_string(unix_seconds_) + "." + std::to_string(::getpid()) + "." +
           std::to_string(::randombytes_random()) + ".relais@" + host_ + ">\n";
}

}  // namespace relais::smtpd
