#include "local/output.h"

#include <unistd.h>

#include "base/io.h"

namespace relais::local {
namespace {

constexpr std::string_view too_long = "\nError report too long, sorry.\n";

}  // namespace

void Output::say(std::string_view text) {
    if (!captured()) return write_all(STDOUT_FILENO, text, Deadline::never());
    const std::size_t room = limit_ - text_.size();
    if (text.size() > room) cut_ = true;
    text_.append(text.substr(0, room));
}

void Output::complain(std::string_view line) {
    const std::string text = std::string(line) + "\n";
    if (captured()) return say(text);
    write_all(STDERR_FILENO, text, Deadline::never());
}

std::string Output::take() {
    if (cut_) text_.replace(limit_ - too_long.size(), std::string::npos, too_long);
    return std::move(text_);
}

}  // namespace relais::local
