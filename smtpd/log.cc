#include "smtpd/log.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"

namespace relais::smtpd {
namespace {

constexpr std::size_t name_limit = 256;
constexpr std::size_t recipients_named = 20;
constexpr std::size_t reason_limit = 512;

std::string word(std::string_view text) {
    return text.empty() ? "-" : safe_for_log(text.substr(0, name_limit));
}

std::string path(std::optional<std::string_view> address) {
    return address ? "<" + safe_for_log(address->substr(0, name_limit)) + ">" : "-";
}

std::string front(const Speaker& speaker) {
    return fmt::format("from {} helo {}", word(speaker.ip), word(speaker.helo.value_or("")));
}

}  // namespace

std::string verified_line(std::uint64_t id, std::string_view ip, std::string_view text) {
    return fmt::format("verified msg {} from {} {}", id, word(ip), text);
}

std::string accept_line(const Speaker& speaker, std::uint64_t id, std::string_view sender,
                        const std::vector<std::string>& recipients, std::uint64_t bytes,
                        std::string_view session) {
    std::string line = fmt::format("accept msg {} {} login {} tls {} sender {} rcpt ", id, front(speaker),
                                   word(speaker.login.value_or("")), word(speaker.tls), path(sender));
    const std::size_t named = std::min(recipients.size(), recipients_named);
    for (std::size_t i = 0; i < named; ++i) {
        if (i > 0) line += ',';
        line += path(recipients[i]);
    }
    if (named < recipients.size()) line += fmt::format(",+{}", recipients.size() - named);
    line += fmt::format(" bytes {}", bytes);
    return session.empty() ? line : line + fmt::format(" session {}", session);
}

std::string refuse_line(const Speaker& speaker, std::optional<std::string_view> sender,
                        std::optional<std::string_view> recipient, std::string_view reason) {
    std::string text(reason.substr(0, reason_limit));
    for (char& c : text)
        if (c < 32 || c > 126) c = '_';
    return fmt::format("refuse {} sender {} rcpt {} reason {}", front(speaker), path(sender), path(recipient),
                       text);
}

std::string suspect_line(const Speaker& speaker, std::string_view sender, std::string_view recipient,
                         std::string_view reason) {
    return fmt::format("suspect {} sender {} rcpt {} reason {}", front(speaker), path(sender),
                       path(recipient), reason);
}

}  // namespace relais::smtpd
