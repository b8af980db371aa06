// The Date and Message-ID fields that a message lacks, for messages of our own users (RFC 6409, 8). Pure but
// for the random source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace relais::smtpd {

class HeaderCompleter {
  public:
    // active: false passes everything on. host: stands behind the @ of a Message-ID.
    HeaderCompleter(bool active, std::string host, std::int64_t unix_seconds)
        : in_header_(active), host_(std::move(host)), unix_seconds_(unix_seconds) {}

    // Takes the decoded message in pieces (LF line ends); what may be passed on is swapped into text. The
    // header is kept back until its end is there. One longer than header_limit passes as it is.
    void feed(std::string& text);
    // What is still kept back when the message has ended within its header.
    std::string finish();

    static constexpr std::size_t header_limit = std::size_t{1} << 18;

  private:
    // Reads whole lines; true when the header is over.
    bool read_lines();
    std::string missing() const;

    bool in_header_;
    std::string host_;
    std::int64_t unix_seconds_;
    std::string kept_;
    std::size_t read_ = 0;  // up to here its lines are known
    bool any_field_ = false;
    bool date_ = false;
    bool message_id_ = false;
};

}  // namespace relais::smtpd
