#include "explain/passage.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/fd.h"
#include "mail/utf8_address.h"
#include "remote/message.h"
#include "remote/path.h"

namespace relais::explain {
namespace {

// RFC 5322, 2.1.1.
constexpr std::uint64_t line_limit = 998;

// The longest line of a message, in pieces with CR LF.
class Lines {
  public:
    void feed(std::string_view piece) {
        for (const char c : piece) {
            length_ = c == '\n' || c == '\r' ? 0 : length_ + 1;
            longest_ = std::max(longest_, length_);
        }
    }
    std::uint64_t longest() const { return longest_; }

  private:
    std::uint64_t length_ = 0;
    std::uint64_t longest_ = 0;
};

void judge_letters(const MessageTraits& message, const remote::Extensions& extensions,
                   const std::string& server, std::string_view sender, std::string_view recipient,
                   std::vector<Finding>& findings) {
    const auto bounces = [&](const std::string& what) {
        findings.push_back({Weight::problem, "no_smtputf8",
                            what + " has letters beyond US-ASCII, and " + server +
                                " does not offer SMTPUTF8: it bounces (5.6.7)",
                            "another address, or its server's administrator"});
    };
    const bool header = message.smtputf8 && message.eight_bit_header;
    const bool addresses = remote::needs_smtp_utf8(sender) || remote::needs_smtp_utf8(recipient);
    if (extensions.smtp_utf8) {
        if (header || addresses)
            findings.push_back(
                {Weight::note, "smtputf8", "SMTPUTF8 is said to " + server + ", which offers it", ""});
        return;
    }
    for (const auto& [address, what] :
         {std::pair(recipient, "the recipient's address"), std::pair(sender, "the sender's address")}) {
        const auto plain = mail::ascii_address(address);
        if (!plain)
            bounces(what);
        else if (*plain != address)
            findings.push_back({Weight::note, "domain_in_ascii",
                                server + " does not offer SMTPUTF8: it hears " + *plain, ""});
    }
    if (header) bounces("the header of the message");
}

void judge_transfer(const MessageTraits& message, const remote::Extensions& extensions,
                    const std::string& server, std::vector<Finding>& findings) {
    if (message.by > 0 && extensions.deliver_by)
        findings.push_back(
            {Weight::note, "deliverby", server + " offers DELIVERBY: it hears how much time is left", ""});
    else if (message.by > 0)
        findings.push_back({Weight::warning, "no_deliverby",
                            server +
                                " does not offer DELIVERBY: what is to come back (R) bounces (5.4.7), and of "
                                "what is not, a report says \"relayed\"",
                            "a message without BY, or with mode N"});
    if (message.priority != 0)
        findings.push_back({Weight::note, "priority",
                            extensions.mt_priority
                                ? server + " offers MT-PRIORITY: it hears the priority"
                                : server + " does not offer MT-PRIORITY: the priority ends here",
                            ""});
}

}  // namespace

void read_traits(const std::string& path, MessageTraits& traits) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) throw_errno("open", path);
    if (!S_ISREG(status.st_mode)) throw_errno("use as a message", path, EINVAL);
    remote::Message message(file.get(), 0, static_cast<std::uint64_t>(status.st_size));
    const remote::Message::Scan& scan = message.scan();
    traits.size = std::max(traits.size, scan.wire_size);
    traits.eight_bit = traits.eight_bit || scan.eight_bit;
    traits.eight_bit_header = scan.eight_bit_header;
    Lines lines;
    message.read_wire([&](std::string_view piece) {
        lines.feed(piece);
        return true;
    });
    traits.longest_line = lines.longest();
}

std::string_view name_of(Offer::Source source) {
    switch (source) {
        case Offer::Source::remembered:
            return "remembered";
        case Offer::Source::asked:
            return "asked";
        default:
            return "unknown";
    }
}

std::string words_of(const remote::Extensions& extensions) {
    std::string text;
    const auto add = [&](bool offered, const std::string& word) {
        if (offered) text += (text.empty() ? "" : ", ") + word;
    };
    add(extensions.starttls, "STARTTLS");
    for (const auto& [keyword, offered] : remote::extension_keywords)
        if (offered != &remote::Extensions::starttls && offered != &remote::Extensions::size)
            add(extensions.*offered, std::string(keyword));
    add(extensions.size,
        extensions.size_limit > 0 ? "SIZE " + std::to_string(extensions.size_limit) : "SIZE");
    return text.empty() ? "nothing" : text;
}

std::vector<Finding> judge(const MessageTraits& message, const remote::Extensions& extensions,
                           const std::string& server, std::string_view sender, std::string_view recipient,
                           bool strict_8bit) {
    std::vector<Finding> findings;
    judge_letters(message, extensions, server, sender, recipient, findings);
    if (message.eight_bit && !extensions.eight_bit_mime) {
        if (strict_8bit)
            findings.push_back({Weight::problem, "no_8bitmime",
                                server +
                                    " does not offer 8BITMIME, and control/strict8bit is set: it bounces "
                                    "(5.6.3)",
                                "remove control/strict8bit"});
        else
            findings.push_back({Weight::note, "8bit_unasked",
                                server + " does not offer 8BITMIME: octets above 127 go as they are", ""});
    }
    if (extensions.size_limit > 0 && message.size > extensions.size_limit)
        findings.push_back({Weight::problem, "too_large",
                            fmt::format("{} takes messages of {} octets, this one has {}: it bounces (5.3.4)",
                                        server, extensions.size_limit, message.size),
                            "a smaller message"});
    if (message.longest_line > line_limit)
        findings.push_back({Weight::warning, "long_lines",
                            fmt::format("a line of the message has {} octets: some servers refuse more than "
                                        "{}, and it goes as it is",
                                        message.longest_line, line_limit),
                            "shorter lines, or quoted-printable"});
    judge_transfer(message, extensions, server, findings);
    if (message.dsn)
        findings.push_back({Weight::note, "dsn",
                            extensions.dsn
                                ? server + " offers DSN: it answers what is asked of reports"
                                : server + " does not offer DSN: a report of success says \"relayed\"",
                            ""});
    return findings;
}

}  // namespace relais::explain
