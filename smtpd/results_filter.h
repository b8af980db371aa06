// Takes the fields Authentication-Results of our own name out of a message from outside: whoever believes
// ours must find only those that we wrote (RFC 8601, 5). Pure.
#pragma once

#include <string>
#include <string_view>

namespace relais::smtpd {

class ResultsFilter {
  public:
    // active: false passes everything on. server: our name, as our own fields have it.
    ResultsFilter(bool active, std::string_view server);

    // Takes the decoded message in pieces (LF line ends); what may be passed on is swapped into text. A field
    // is kept back until its end is there.
    void feed(std::string& text);
    // What is still kept back when the message has ended within its header.
    std::string finish();

    // Of a longer field the beginning alone is looked at; the rest shares its fate. One whose server is not
    // to be seen there is taken out.
    static constexpr std::size_t field_limit = std::size_t{1} << 16;

  private:
    void add_to_field(std::string_view text, std::string& out);
    void take_line(std::string_view line, std::string& out);
    void end_field(std::string& out);
    bool is_ours() const;

    bool in_header_;
    std::string server_;
    std::string line_;           // not yet whole
    bool line_goes_on_ = false;  // the line was too long to keep, and has been judged
    std::string field_;          // a field of that name, not yet whole
    enum class Fate { open, passed, dropped } fate_ = Fate::open;  // of field_, once it is too long to keep
};

}  // namespace relais::smtpd
