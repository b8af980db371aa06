// A report on deliveries for the sender of a message (RFC 3461, 3462, 3464, 6533): MIME parts for people, for
// programs, and the message or its header. Everything but the last, which the caller copies in between. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "send/bounce.h"
#include "send/recipient_facts.h"

namespace relais::send {

enum class ReportKind : char {
    failure = 'f',
    delay = 'd',    // still being tried
    success = 's',  // delivered, or handed on to a server that tells no more
};

struct DeliveryReport {
    ReportKind kind = ReportKind::failure;
    BounceText text{};
    std::uint64_t message = 0;  // id
    std::string sender{};       // of the message
    mail::EnvelopeOptions options{};
    std::int64_t now = 0;
    std::int64_t expires = 0;  // delay: when it is given up; unix seconds
    bool header_only = false;  // of the message, only that is copied
};

// What may be shown of words of others: lines of UTF-8, without control characters, each of at most 900
// octets.
std::string clean_lines(std::string_view text);

// Header and all parts up to the copy of the message, Return-Path included where all of it follows.
std::string report_head(const BounceSettings& settings, const BounceEnvelope& envelope,
                        const DeliveryReport& report);
// What follows the copy.
std::string report_tail(const BounceSettings& settings, const DeliveryReport& report);

}  // namespace relais::send
