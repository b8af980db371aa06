#include "send/log_text.h"

#include "base/program.h"
#include "base/text.h"

namespace relais::send {
namespace {
// What a pipe takes in one piece.
constexpr std::size_t piece = 4096;
}  // namespace

std::string log_text(std::string_view report) {
    while (report.ends_with('\n')) report.remove_suffix(1);
    if (report.empty()) return {};
    std::string text;
    for (std::string_view line : split(report, '\n')) text.append(safe_for_log(line)).append("/");
    return text;
}

std::string one_line(std::string_view text) {
    std::string line(text);
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 32 || c == 127) c = c == '\n' ? '/' : '_';
    return line;
}

void LogBuffer::line(std::string_view text) {
    if (lines_.size() + text.size() + 1 > piece) flush();
    lines_.append(text).append("\n");
}

void LogBuffer::flush() {
    if (lines_.empty()) return;
    lines_.pop_back();
    log_raw_line(lines_);
    lines_.clear();
}

}  // namespace relais::send
