// A message as its signatures see it: fields, and a body whose lines end in CR LF, whatever they ended in
// where it was read. A line ends at LF; a CR before it belongs to the line end.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace relais::authres {

struct HeaderField {
    std::string name;  // as it was written
    std::string text;  // all of it, with folds and the last line end

    std::string_view body() const { return std::string_view(text).substr(text.find(':') + 1); }
};

struct MessageHeader {
    std::vector<HeaderField> fields;  // the topmost first
    bool too_large = false;           // there are more
};

// Who looks at a message that passes by.
class MessageSink {
  public:
    MessageSink() = default;
    MessageSink(const MessageSink&) = delete;
    MessageSink& operator=(const MessageSink&) = delete;
    virtual ~MessageSink() = default;

    // Once, before the body; valid as long as the reader.
    virtual void header(const MessageHeader& header) = 0;
    // Pieces of any size; a CR LF is never cut in two.
    virtual void body(std::string_view data) = 0;
};

// The octets of header that signatures are looked for in.
inline constexpr std::size_t header_limit = 1024 * 1024;

// Takes a message in pieces. A first line "From ..." is an mbox's and does not count. A line that is no field
// ends the header, and is the first of the body.
class MessageReader {
  public:
    // Borrows the sink.
    explicit MessageReader(MessageSink& sink, std::size_t limit = header_limit)
        : sink_(sink), limit_(limit) {}

    void add(std::string_view data);
    void finish();
    const MessageHeader& header() const { return header_; }
    // Until the header's end has been read.
    bool in_header() const { return in_header_; }

  private:
    void add_header(std::string_view& data);
    // False if the header has ended before this line.
    bool take_line(std::string_view line);
    void end_header();
    void add_body(std::string_view data);
    void flush_body();

    MessageSink& sink_;
    std::size_t limit_;
    MessageHeader header_;
    bool in_header_ = true;
    bool first_line_ = true;
    bool skipping_ = false;  // the rest of a line that is too long
    std::size_t size_ = 0;
    std::string line_;   // of the header, not yet complete
    std::string ready_;  // body
    bool held_cr_ = false;
};

}  // namespace relais::authres
