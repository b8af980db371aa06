#include "send/bounce.h"

#include <algorithm>

#include "base/time.h"
#include "control/setting.h"
#include "mail/address.h"
#include "mail/utf8_address.h"
#include "send/rewrite.h"

namespace relais::send {

BounceSettings BounceSettings::read(const control::Home& home) {
    BounceSettings settings;
    settings.from = control::read<"bouncefrom">(home);
    settings.host = control::read<"bouncehost">(home);
    settings.double_to =
        control::read<"doublebounceto">(home) + "@" + control::read<"doublebouncehost">(home);
    settings.max_octets = control::read<"bouncemaxbytes">(home);
    settings.format = read_bounce_format(home);
    return settings;
}

BounceFormat read_bounce_format(const control::Home& home) {
    const std::string word = control::read<"bounceformat">(home);
    return word == "dsn" ? BounceFormat::dsn : word == "both" ? BounceFormat::both : BounceFormat::qsbmf;
}

std::string bounce_paragraph(std::string_view address, std::string_view text) {
    std::string paragraph = "<";
    paragraph.append(address).append(">:\n");
    std::replace(paragraph.begin(), paragraph.end() - 1, '\n', '_');
    while (text.ends_with('\n')) text.remove_suffix(1);
    if (text.empty()) return paragraph + "\n";
    // A blank line would end the paragraph: it becomes '/'.
    bool at_line_start = true;
    for (const char c : text) {
        if (c == '\n' && at_line_start) paragraph += '/';
        paragraph += c;
        at_line_start = c == '\n';
    }
    return paragraph + "\n\n";
}

std::optional<BounceEnvelope> bounce_envelope(const BounceSettings& settings, std::string_view sender) {
    if (sender == mail::double_bounce_sender) return std::nullopt;
    if (sender.empty())
        return BounceEnvelope{std::string(mail::double_bounce_sender), settings.double_to, true};
    // "list-@host-@[]" is the list's owner, list-@host.
    if (is_verp(sender)) sender = verp_base(sender);
    return BounceEnvelope{"", std::string(sender), false};
}

std::string bounce_header(const BounceSettings& settings, const BounceEnvelope& envelope,
                          std::string_view subject, std::int64_t now) {
    std::string head = "Date: " + date_822(now) + "\n";
    head += "From: " + mail::quoted_address(settings.from + "@" + settings.host) + "\n";
    // The next server may know no letters beyond US-ASCII: the domain is as DNS has it where that is enough.
    const auto plain =
        mail::is_ascii(envelope.recipient) ? std::nullopt : mail::ascii_address(envelope.recipient);
    head += "To: " + mail::quoted_address(plain.value_or(envelope.recipient)) + "\n";
    return head.append("Subject: ").append(subject).append("\n");
}

std::string bounce_greeting(const BounceSettings& settings, const BounceEnvelope& envelope) {
    const std::string hello = "Hi. This is the qmail-send program at " + settings.host + ".\n";
    if (envelope.is_double)
        return hello + "I tried to deliver a bounce message to this address, but the bounce bounced!\n\n";
    return hello +
           "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
           "This is a permanent error; I've given up. Sorry it didn't work out.\n\n";
}

std::string bounce_head(const BounceSettings& settings, const BounceEnvelope& envelope,
                        std::string_view sender, std::string_view paragraphs, std::int64_t now) {
    std::string head = bounce_header(settings, envelope, "failure notice", now) + "\n";
    head += bounce_greeting(settings, envelope);
    head += paragraphs;
    head += envelope.is_double ? "--- Below this line is the original bounce.\n\n"
                               : "--- Below this line is a copy of the message.\n\n";
    head += "Return-Path: <" + (sender.empty() ? std::string() : mail::quoted_address(sender)) + ">\n";
    return head;
}

std::string_view bounce_cut_note() {
    return "\n\n--- The rest of the message has been left out.\n";
}

}  // namespace relais::send
