#include "setup/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"

namespace relais::setup {
namespace {

// A screen of its own, no cursor, and lines that are too long end at the edge; and all of that undone.
constexpr std::string_view begin_screen = "\033[?1049h\033[?25l\033[?7l\033[2J";
constexpr std::string_view end_screen = "\033[0m\033[?7h\033[?25h\033[?1049l";
constexpr std::string_view home = "\033[H", end_of_line = "\033[K\r\n", end_of_screen = "\033[J";
// What a window can have; a size beyond that is somebody's joke.
constexpr unsigned most = 1000;

bool put(std::string_view text) {
    try {
        write_all(STDOUT_FILENO, text, Deadline::never());
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

bool Terminal::usable() {
    const std::string kind = environment("TERM", "");
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && !kind.empty() && kind != "dumb";
}

Terminal::Terminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) throw_errno("read", "the terminal's settings");
    enter();
}

Terminal::~Terminal() {
    leave();
}

void Terminal::enter() {
    termios keys = before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    if (::tcsetattr(STDIN_FILENO, TCSAFLUSH, &keys) != 0) throw_errno("change", "the terminal's settings");
    entered_ = true;
    put(begin_screen);
}

void Terminal::leave() {
    if (!std::exchange(entered_, false)) return;
    put(end_screen);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

Terminal::Size Terminal::size() {
    winsize window{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0)
        return {80, 24};
    return {std::min<unsigned>(window.ws_col, most), std::min<unsigned>(window.ws_row, most)};
}

bool Terminal::show(std::string_view lines) {
    std::string text(home);
    while (!lines.empty()) {
        const std::size_t end = lines.find('\n');
        text.append(lines.substr(0, end));
        lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
        // A line end on the last row would move all of it up.
        text.append(lines.empty() ? std::string_view("\033[K") : end_of_line);
    }
    return put(text.append(end_of_screen));
}

bool Terminal::read_keys(std::string& keys) {
    std::array<char, 256> buffer;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN;
    keys.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
}

}  // namespace relais::setup
