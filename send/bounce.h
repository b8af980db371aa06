// The text of a bounce in qmail-send's form (QSBMF), which bounce parsers read: every octet here is outside
// behaviour. Pure but for BounceSettings::read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/home.h"

namespace relais::send {

// control/bounceformat: how the sender is told of a failure.
enum class BounceFormat {
    qsbmf,  // prose, octet by octet as qmail-send wrote it; without the file
    dsn,    // RFC 3464
    both,   // RFC 3464, and the prose where programs look for it that know only that
};

struct BounceSettings {
    std::string from = "MAILER-DAEMON";  // bouncefrom
    std::string host;                    // bouncehost
    std::string double_to;               // doublebounceto@doublebouncehost
    std::uint64_t max_octets = 0;        // bouncemaxbytes: of the copy; 0 = all of it
    BounceFormat format = BounceFormat::qsbmf;
    std::string salt{};  // not to be guessed; in boundaries and message ids

    // From control/. Throws Error.
    static BounceSettings read(const control::Home& home);
};

// Without the file, and for a word that is none, qsbmf. Throws Error.
BounceFormat read_bounce_format(const control::Home& home);

// What is said of one recipient: "<address>:", the text without blank lines, and a blank line.
std::string bounce_paragraph(std::string_view address, std::string_view text);

// Sender and recipient of the bounce of a message with that sender; nothing for a double bounce (sender
// "#@[]"), whose bounce is discarded.
struct BounceEnvelope {
    std::string sender;
    std::string recipient;
    bool is_double = false;
};
std::optional<BounceEnvelope> bounce_envelope(const BounceSettings& settings, std::string_view sender);

// Date, From, To, Subject.
std::string bounce_header(const BounceSettings& settings, const BounceEnvelope& envelope,
                          std::string_view subject, std::int64_t now);
// What stands before the paragraphs.
std::string bounce_greeting(const BounceSettings& settings, const BounceEnvelope& envelope);
// In qsbmf, everything before the copy: header, greeting, paragraphs, break line, Return-Path.
std::string bounce_head(const BounceSettings& settings, const BounceEnvelope& envelope,
                        std::string_view sender, std::string_view paragraphs, std::int64_t now);
// What follows a copy that was cut.
std::string_view bounce_cut_note();

}  // namespace relais::send
