// What a local delivery says: its own lines and what the programs it runs print.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relais::local {

class Output {
  public:
    // By hand: everything goes to standard output and standard error at once; programs write there
    // themselves.
    Output() = default;
    // For a report: at most limit octets are kept in memory; a text that was longer ends with a line that
    // says so.
    explicit Output(std::size_t limit) : limit_(limit) {}

    bool captured() const { return limit_ > 0; }
    // Adds text: instructions shown, counts, what a captured program printed.
    void say(std::string_view text);
    // Adds a line that says what is wrong.
    void complain(std::string_view line);
    // What was captured.
    std::string take();

  private:
    std::size_t limit_ = 0;
    std::string text_;
    bool cut_ = false;
};

}  // namespace relais::local
