#include "remote/path.h"

#include <algorithm>

#include "mail/address.h"

namespace relais::remote {

std::string path(const std::string& address) {
    std::string text = "<";
    if (!address.empty()) text += mail::quoted_address(address);
    return text += '>';
}

bool fits_in_path(std::string_view address) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; };
    if (std::any_of(address.begin(), address.end(), is_control)) return false;
    const std::string_view domain = mail::split_address(address).domain;
    return domain.find_first_of(" <>\"\\()@,;") == std::string_view::npos;
}

bool needs_smtp_utf8(std::string_view address) {
    return std::any_of(address.begin(), address.end(),
                       [](char c) { return static_cast<unsigned char>(c) > 127; });
}

std::optional<Result> refuse_unsayable(const std::string& sender,
                                       const std::vector<std::string>& recipients) {
    if (!fits_in_path(sender))
        return Result{{},
                      {Letter::permanent, "Sorry, the sender's address cannot be said in SMTP. (#5.1.7)\n"},
                      "",
                      false};
    if (recipients.empty() || std::any_of(recipients.begin(), recipients.end(), fits_in_path))
        return std::nullopt;
    Result result;
    result.recipients.assign(recipients.size(), unsayable_recipient());
    result.message = {Letter::permanent, "No recipient can be said in SMTP.\n"};
    return result;
}

send::RecipientReport unsayable_recipient() {
    return {send::Outcome::permanent, "Sorry, this address cannot be said in SMTP. (#5.1.3)\n"};
}

}  // namespace relais::remote
