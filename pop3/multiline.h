// A message as a POP3 client gets it (RFC 1939, 3): lines end with CR LF, a line that begins with a dot gets
// another one, and a line of one dot is the end. Octets pass as they are otherwise.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace relais::pop3 {

class Multiline {
  public:
    // body_lines: how many lines of the body are wanted behind the header (TOP).
    explicit Multiline(std::uint64_t body_lines = std::numeric_limits<std::uint64_t>::max())
        : body_lines_(body_lines) {}

    // Adds the next piece of the file to out. False once no more is wanted.
    bool add(std::string_view piece, std::string& out);
    // Adds the end: of the last line, if it has none, and the line of one dot.
    void finish(std::string& out);

  private:
    void end_line(std::string& out);

    std::uint64_t body_lines_;
    bool in_header_ = true;
    bool line_empty_ = true;  // nothing of the current line has been seen
    bool only_cr_ = false;    // nothing but one CR has
    char last_ = '\n';
};

}  // namespace relais::pop3
