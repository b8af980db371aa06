#include "smtpd/reply_status.h"

#include <algorithm>
#include <array>

#include "mail/enhanced_status.h"

namespace relais::smtpd {
namespace {

struct Row {
    std::string_view verb;
    std::string_view code;
    std::string_view status;
};
// Where the text has no status, or qmail's words have another one than the RFC of the command. All others
// have that of their text, or their class alone.
constexpr std::array table = {
    Row{"MAIL", "250", "2.1.0"},
    Row{"RCPT", "250", "2.1.5"},
    // RFC 4954, 6.
    Row{"AUTH", "235", "2.7.0"},
    Row{"AUTH", "454", "4.7.0"},
    Row{"AUTH", "535", "5.7.8"},
};

constexpr std::size_t code_size = 3;

}  // namespace

std::string with_status(std::string_view verb, std::string_view reply) {
    const bool has_one = reply.size() > code_size && reply[code_size] == ' ' &&
                         (reply[0] == '2' || reply[0] == '4' || reply[0] == '5');
    if (!has_one || verb == "HELO" || verb == "EHLO") return std::string(reply);
    const std::string_view code = reply.substr(0, code_size);
    const std::string_view text = reply.substr(code_size);
    const auto row = std::find_if(table.begin(), table.end(),
                                  [&](const Row& each) { return each.verb == verb && each.code == code; });
    const std::string status =
        row != table.end() ? std::string(row->status) : mail::enhanced_status(reply[0], reply, text);
    // The text of a filter may begin with one.
    if (text.substr(1).starts_with(status)) return std::string(reply);
    return std::string(code).append(" ").append(status).append(text);
}

}  // namespace relais::smtpd
