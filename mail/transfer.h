// What a client says of the time and the order in which a message is to be sent on: HOLDFOR and HOLDUNTIL
// (RFC 4865), BY (RFC 2852), MT-PRIORITY (RFC 6710). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relais::mail {

// The end of the year 9999, the last that a date of RFC 3339 can name.
inline constexpr std::int64_t last_second = 253402300799;

// RFC 2852, 4: what becomes of a message that is not delivered in time.
struct DeliverBy {
    std::int64_t when = 0;  // unix seconds
    bool returns = false;   // R: it goes back; N: the sender is told that it is late
    bool trace = false;     // T: the sender is told when it is handed on

    bool operator==(const DeliverBy&) const = default;
};
// "1795391255 RT", as an envelope has it.
std::optional<DeliverBy> parse_deliver_by(std::string_view text);
std::string deliver_by_text(const DeliverBy& by);
// The value of BY for a server that hears it at that time: "-12;N". RFC 2852 has nine digits.
std::string by_value(const DeliverBy& by, std::int64_t now);

// "-9" to "9"; no "+", no "-0", no "01".
std::optional<int> parse_priority(std::string_view text);

// A date of RFC 3339 ("2026-12-01T07:30:00.5+01:00") in unix seconds, fractions dropped.
std::optional<std::int64_t> parse_date_3339(std::string_view text);
// "2026-12-01T06:30:00Z"
std::string date_3339(std::int64_t unix_seconds);

// As MAIL had it.
struct TransferRequest {
    std::optional<std::int64_t> hold_for{};    // seconds
    std::optional<std::int64_t> hold_until{};  // unix seconds
    std::optional<DeliverBy> by{};             // when: seconds from now, may be negative where it is N
    std::optional<int> priority{};

    bool holds() const { return hold_for || hold_until; }
    bool said() const { return holds() || by || priority; }
};
// Takes a parameter of MAIL. Nothing for one that is none of these; false for a syntax error.
std::optional<bool> take_transfer_parameter(std::string_view keyword, std::string_view value,
                                            TransferRequest& request);

}  // namespace relais::mail
