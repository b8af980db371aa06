// The text of a message as it comes after DATA (RFC 5321, 4.5.2), or in the chunks of BDAT (RFC 3030): pure,
// no I/O. Lines end in CRLF and nowhere else, so that no client can make two servers see two different ends
// of one message (SMTP smuggling).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relais::smtpd {

// Turns octets from the network into the message with LF line ends, dots unstuffed.
class DataDecoder {
  public:
    enum class Form {
        dotted,  // DATA: ends with a dot alone on its line; other dots at the beginning of a line are stuffed
        counted,  // BDAT: dots are octets like others, and who counts them knows the end
    };
    // normalise (FIXCRIO): a bare LF is a line end like CRLF, also around the final dot, and several CRs
    // before it count as one, but behind the final dot, where they make a line of it; a bare CR becomes a
    // line end in the message, but never one that could end it. Otherwise all are remembered as bare().
    explicit DataDecoder(bool normalise, Form form = Form::dotted)
        : normalise_(normalise),
          new_line_(form == Form::dotted ? Place::line_start : Place::in_line),
          place_(new_line_) {}

    // Decodes input, in whatever pieces it comes, onto the end of out. Returns how many octets were used: all
    // of them, unless the end of the message was among them. What is decoded after bare() became true is of
    // no use.
    std::size_t decode(std::string_view input, std::string& out);

    // The counted octets have come to their end: a last line without one gets it. out: as decode() left it,
    // or empty.
    void end(std::string& out);

    // The dot was seen.
    bool ended() const { return ended_; }
    // A CR without LF or an LF without CR was seen: the message must be refused.
    bool bare() const { return bare_; }

  private:
    enum class Place { line_start, after_dot, in_line };

    std::size_t decode_line_start(std::string_view rest);
    std::size_t decode_in_line(std::string_view rest, std::size_t line_feed, std::string& out);
    void resolve_returns(bool line_feed, std::string& out);
    void end_line(std::string& out);

    bool normalise_;
    Place new_line_;  // where the octet behind a line end stands
    Place place_;
    bool within_ = false;      // counted: the last line has octets, and no end yet
    std::size_t returns_ = 0;  // CRs held back until the next octet tells what they are
    bool ended_ = false;
    bool bare_ = false;
};

}  // namespace relais::smtpd
