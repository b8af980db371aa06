// Messages in mbox form: a "From " line above, '>' before lines that look like one, a blank line below.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace relais::inject {

// "From SENDER Thu Nov 23 17:01:02 2023\n". first_line is the message's own first line: a "Return-Path:
// <SENDER>" there names the sender; MAILER-DAEMON stands for the null sender, XXX for one that is not known.
// unix_seconds: in GMT.
std::string from_line(std::string_view first_line, std::int64_t unix_seconds);

// Quotes a message that comes in pieces.
class MboxQuoter {
  public:
    // The piece as it must be written; the start of a line may be kept back until the next piece.
    std::string add(std::string_view data);
    // What was kept back, the line end if the last line has none, and the blank line.
    std::string finish();

  private:
    std::string line_start_;
    bool at_line_start_ = true;
};

}  // namespace relais::inject
