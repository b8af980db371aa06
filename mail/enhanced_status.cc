#include "mail/enhanced_status.h"

#include "base/text.h"

namespace relais::mail {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// How many octets at the beginning are one to three digits; 0 if there are more, or none.
std::size_t digits(std::string_view text) {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) ++count;
    return count <= 3 ? count : 0;
}

// The code at the beginning of text, "" if there is none of that class.
std::string_view code_at(char status_class, std::string_view text) {
    if (text.size() < 5 || text[0] != status_class || text[1] != '.') return {};
    const std::size_t subject = digits(text.substr(2));
    if (subject == 0 || text.size() <= 2 + subject || text[2 + subject] != '.') return {};
    const std::size_t detail = digits(text.substr(3 + subject));
    return detail == 0 ? std::string_view{} : text.substr(0, 3 + subject + detail);
}

}  // namespace

std::string enhanced_status(char status_class, std::string_view reply, std::string_view text) {
    if (reply.size() > 4 && reply[0] == status_class && digits(reply) == 3)
        if (const auto code = code_at(status_class, reply.substr(4)); !code.empty()) return std::string(code);
    for (std::size_t at = text.find("(#"); at != std::string_view::npos; at = text.find("(#", at + 2))
        if (const auto code = code_at(status_class, text.substr(at + 2)); !code.empty())
            return std::string(code);
    return std::string(1, status_class) + ".0.0";
}

}  // namespace relais::mail
