#include "auth/new_password.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>

#include "auth/account.h"
#include "base/error.h"
#include "base/io.h"

namespace relais::auth {
namespace {

// Turns the terminal's echo off as long as it lives.
class Silence {
  public:
    Silence() {
        ::tcgetattr(STDIN_FILENO, &before_);
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    ~Silence() { ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_); }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;

  private:
    termios before_{};
};

// One line of standard input, straight into memory that is wiped.
Secret read_secret_line() {
    Secret line(password_limit + 2);
    std::size_t have = 0;
    while (have < line.size()) {
        const std::size_t count = read_some(STDIN_FILENO, line.span().subspan(have), Deadline::never());
        have += count;
        const std::size_t end = line.view().substr(0, have).find('\n');
        if (end != std::string_view::npos) return Secret(line.view().substr(0, end));
        if (count == 0) return Secret(line.view().substr(0, have));
    }
    throw_permanent("a password has at most " + std::to_string(password_limit) + " octets");
}

}  // namespace

Secret ask_password() {
    if (::isatty(STDIN_FILENO) == 0) return read_secret_line();
    const Silence silence;
    const auto ask = [](const char* prompt) {
        std::fputs(prompt, stderr);
        Secret answer = read_secret_line();
        std::fputc('\n', stderr);
        return answer;
    };
    Secret first = ask("Password: ");
    if (ask("Again: ").view() != first.view()) throw_permanent("the two passwords differ");
    return first;
}

void refuse_bad_password(std::string_view password) {
    if (password.empty()) throw_permanent("the password is empty");
    if (password.size() > password_limit)
        throw_permanent("a password has at most " + std::to_string(password_limit) + " octets");
    for (const char c : password)
        if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
            throw_permanent("the password has control characters in it");
}

}  // namespace relais::auth
