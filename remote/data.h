// A message on its way through DATA (RFC 5321, 4.1.1.4 and 4.5.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace relais::remote {

// Turns a message, in pieces, into what follows DATA. A line ends at LF, at CR LF, and at a CR that stands
// alone; each leaves as CR LF, so that no bare CR or LF ever does. A line that begins with a dot gets another
// one, whatever ended the line before it: nothing in a message can end the data. So does a line of NULs and a
// dot, for some servers drop NULs before they look for the end. A last line without an end gets one.
class DataEncoder {
  public:
    void encode(std::string_view piece, std::string& out);
    // Ends the last line and adds the final dot.
    void finish(std::string& out);

  private:
    std::size_t take_nuls(std::string_view piece, std::string& out);

    bool at_line_start_ = true;
    bool in_nuls_ = false;   // nothing but NULs of this line has come
    std::size_t nuls_ = 0;   // those of them that are held back until it is known what follows
    bool after_cr_ = false;  // the piece before ended with a CR, whose line end has been written
};

// The same line ends without added dots and the final one: what a receiver has, who takes these away again.
class LineEnds {
  public:
    void mend(std::string_view piece, std::string& out);
    // Ends the last line.
    void finish(std::string& out);

  private:
    bool in_line_ = false;
    bool after_cr_ = false;
};

// How long a message, in pieces, is with its line ends mended (RFC 1870: without added dots and the final
// one), without making that form.
class WireSize {
  public:
    void feed(std::string_view piece);
    std::uint64_t octets() const { return last_ == '\n' || last_ == '\r' ? octets_ : octets_ + 2; }

  private:
    std::uint64_t octets_ = 0;
    char last_ = '\n';
};

// Whether the header of a message, in pieces, has letters beyond US-ASCII.
class HeaderLetters {
  public:
    void feed(std::string_view piece);
    bool eight_bit() const { return eight_bit_; }

  private:
    bool ended_ = false;
    bool eight_bit_ = false;
    bool line_is_empty_ = true;
};

inline constexpr std::string_view final_dot = ".\r\n";

// True if any octet is above 127.
bool has_eight_bit(std::string_view data);

}  // namespace relais::remote
