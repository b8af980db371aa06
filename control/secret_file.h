// Control files that may hold passwords: smtproutes and authsenders, in lines "...|user|password". With a
// password in it, such a file must be readable by its owner alone, and that owner is qmailr, as whom
// qmail-remote runs: group and others may have no permission (chown qmailr, chmod 400). Without one it is
// like every other control file.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/home.h"

namespace relais::control {

// True for the names of such files.
bool may_hold_passwords(std::string_view name);
// The line has a password, or a beginning of one.
bool has_password(std::string_view line);
// The line with "..." in the place of what follows its user: what may be shown.
std::string without_password(std::string_view line);

// The lines of such a file, wiped from memory with it.
class SecretLines {
  public:
    // As read_lines. Nothing if there is no such file. Throws Error if it cannot be read, and if it holds
    // passwords that others may read: the text says what to do.
    static std::optional<SecretLines> read(const Home& home, std::string_view name);
    ~SecretLines();
    SecretLines(SecretLines&&) = default;
    SecretLines& operator=(SecretLines&&) = delete;

    // For those who look at an instance: whoever may read it. Throws Error only if it cannot be read.
    static std::optional<SecretLines> read_unchecked(const Home& home, std::string_view name);

    const std::vector<std::string_view>& lines() const { return lines_; }
    // What is wrong with owner and mode, and what to do; nothing if it is well, or holds no password. owner:
    // qmailr's uid.
    std::optional<std::string> exposure(uid_t owner) const;

  private:
    SecretLines() = default;
    bool holds_password() const;

    uid_t owner_ = 0;
    mode_t mode_ = 0;
    std::string content_;  // large enough not to live in the object itself: lines_ point into it
    std::vector<std::string_view> lines_;
};

}  // namespace relais::control
