// How texts and addresses stand in qmail-send's log lines, and how lines get there.
#pragma once

#include <string>
#include <string_view>

namespace relais::send {

// A report as the log has it: line ends as '/', one after the last line too, everything unsafe as '_'.
std::string log_text(std::string_view report);

// What somebody else has said as one line for a person: line ends as '/', other controls as '_'.
std::string one_line(std::string_view text);

// Collects lines, so that many of them are one write: one wake-up of the logger.
class LogBuffer {
  public:
    ~LogBuffer() { flush(); }
    void line(std::string_view text);
    void flush();

  private:
    std::string lines_;
};

}  // namespace relais::send
