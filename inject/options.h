// Options on a classic command line: single letters, values attached or following, ended by "--" or the first
// argument that is no option.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/program.h"

namespace relais::inject {

class OptionReader {
  public:
    // letters: each letter that is known; ':' after it: with a value; '?' after it: with a value only if
    // attached. Borrows both.
    OptionReader(const Arguments& arguments, std::string_view letters)
        : arguments_(arguments), letters_(letters) {}

    // The next option; nothing when they have ended. '?' stands for an unknown letter or a missing value.
    std::optional<char> next();
    // The value of the option that next() gave; empty if it has none.
    const std::string& value() const { return value_; }
    // What follows the options.
    Arguments rest() const;

  private:
    char take_letter();

    const Arguments& arguments_;
    std::string_view letters_;
    std::size_t index_ = 0;
    std::size_t position_ = 0;  // within arguments_[index_]; 0 before its first letter
    std::string value_;
};

}  // namespace relais::inject
