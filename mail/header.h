// The header of a message (RFC 5322, 2.2): its fields, and where the body begins. Lines end in LF, or CR LF
// where a client sent that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::mail {

// The name of the field that this line begins: printable US-ASCII before a colon, blanks before the colon
// forgiven (RFC 5322, 4.5). Nothing if it begins none.
std::optional<std::string_view> field_name(std::string_view line);
// What follows the colon, with its folds and line end. The field must have a name.
std::string_view field_body(std::string_view field);

// Takes a message in pieces and splits its header into fields.
class HeaderReader {
  public:
    // limit: the octets of header it takes.
    explicit HeaderReader(std::size_t limit) : limit_(limit) {}

    enum class State { more, done, too_long };
    // Adds the next piece; after done the rest of the message is no longer wanted here.
    State add(std::string_view data);
    // The message has ended.
    State finish();

    // Whole fields with their folds, each ended by LF. A line "From ..." of an mbox becomes the field
    // MBOX-Line.
    const std::vector<std::string>& fields() const { return fields_; }
    // What was read beyond the fields: a blank line and the start of the body; the blank line is put there
    // when a line that is no field ended the header. Empty if there is neither blank line nor body.
    const std::string& rest() const { return rest_; }

  private:
    // One line with its LF; false if the header ended before it.
    bool take_line(std::string_view line);

    std::size_t limit_;
    std::size_t size_ = 0;
    bool done_ = false;
    std::string partial_;
    std::vector<std::string> fields_;
    std::string rest_;
};

// A message with so many hops is looping.
inline constexpr std::size_t hop_limit = 100;

// Counts the Received and Delivered-To fields of a message that passes by in pieces: its hops (RFC
// 5321, 6.3).
class HopCounter {
  public:
    void add(std::string_view data);
    std::size_t hops() const { return hops_; }

  private:
    void end_of_line_start();

    std::string line_start_;
    bool in_line_start_ = true;
    bool header_ended_ = false;
    std::size_t hops_ = 0;
};

// "<19950926044653.12345.qmail@HOST>": number tells apart what is made in one second, a process id for
// instance.
std::string make_message_id(std::int64_t unix_seconds, std::uint64_t number, std::string_view host);

}  // namespace relais::mail
