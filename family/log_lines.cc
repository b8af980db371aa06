#include "family/log_lines.h"

#include <syslog.h>

namespace relais::family {
namespace {

// qmail's marks stand at the beginning of a line; the programs that qmail has not put their name before them.
int priority_of(std::string_view text) {
    const std::size_t name = text.find(": ");
    for (const std::string_view part : {text, text.substr(name == std::string_view::npos ? 0 : name + 2)}) {
        if (part.starts_with("alert:")) return LOG_ALERT;
        if (part.starts_with("warning:")) return LOG_WARNING;
    }
    return LOG_INFO;
}

}  // namespace

void LogLines::add(std::string_view data) {
    for (const char c : data) {
        if (c == '\n') {
            flush();
            continued_ = false;
            continue;
        }
        if (text_.size() == syslog_text_limit) flush();
        text_ += c >= ' ' && c <= '~' ? c : '?';
    }
}

void LogLines::finish() {
    flush();
    continued_ = false;
}

void LogLines::flush() {
    if (text_.empty()) return;
    if (!continued_) {
        line_stamp_ = stamp_();
        priority_ = priority_of(text_);
    }
    emit_(priority_, line_stamp_ + (continued_ ? "+" : " ") + text_);
    continued_ = true;
    text_.clear();
}

}  // namespace relais::family
