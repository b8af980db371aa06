// Every counter there is, a row each: where it stands, what it counts, and its name for Prometheus. Programs
// count by a row's key (metrics/count.h), qmail-metrics shows all rows, and qmail-metrics(8) lists them.
//
// A role has one page: 512 numbers of 8 octets that all its processes share. A row never moves, so that
// programs of two releases can share a page; a new one takes slots that were free.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "control/owners.h"

namespace relais::metrics {

inline constexpr std::size_t page_slots = 512;
inline constexpr std::size_t page_size = page_slots * sizeof(std::uint64_t);

enum class Kind {
    counter,
    gauge,      // as it was last set
    histogram,  // a slot for each bound, one for what is above, one for the sum
};

enum class Unit {
    one,
    octets,
    milliseconds,  // shown in seconds
    seconds,
};

struct Metric {
    std::string_view key;
    control::Role role;
    std::size_t slot;   // its first
    std::size_t slots;  // how many are kept for it
    Kind kind;
    Unit unit;
    std::string_view name;    // rows of one name stand together
    std::string_view fixed;   // a label that all of it has: result="success"
    std::string_view label;   // the name of a label with a slot for each value; "" if there is none
    std::string_view values;  // of the label, in the order of the slots; new ones go to the end
    std::string_view help;    // for people: a clause without a full stop
    std::span<const std::uint64_t> bounds{};  // of a histogram, ascending
};

// A value that label does not list counts as this one, where it is listed.
inline constexpr std::string_view other_value = "other";

inline constexpr std::array<std::uint64_t, 10> span_bounds = {10,   30,    100,   300,    1'000,
                                                              3000, 10000, 30000, 100000, 300000};
inline constexpr std::array<std::uint64_t, 11> queue_bounds = {
    100,       1'000,      10'000,     60'000,      300'000,    1'800'000,
    7'200'000, 28'800'000, 86'400'000, 259'200'000, 604'800'000};
inline constexpr std::array<std::uint64_t, 9> size_bounds = {1U << 10, 1U << 12, 1U << 14, 1U << 16, 1U << 18,
                                                             1U << 20, 1U << 22, 1U << 24, 1U << 26};

namespace rows {

using control::Role;

inline constexpr std::string_view services = "smtp submission";
inline constexpr std::string_view channels = "local remote";

// Of one label, or none.
constexpr Metric counter(std::string_view key, Role role, std::size_t slot, std::size_t slots,
                         std::string_view name, std::string_view fixed, std::string_view label,
                         std::string_view values, std::string_view help, Unit unit = Unit::one) {
    return {key, role, slot, slots, Kind::counter, unit, name, fixed, label, values, help};
}
constexpr Metric gauge(std::string_view key, Role role, std::size_t slot, std::size_t slots,
                       std::string_view name, std::string_view label, std::string_view values,
                       std::string_view help, Unit unit = Unit::one) {
    return {key, role, slot, slots, Kind::gauge, unit, name, "", label, values, help};
}
constexpr Metric histogram(std::string_view key, Role role, std::size_t slot, Unit unit,
                           std::span<const std::uint64_t> bounds, std::string_view name,
                           std::string_view fixed, std::string_view help) {
    return {key, role, slot, 20, Kind::histogram, unit, name, fixed, "", "", help, bounds};
}

inline constexpr std::array table = {
    // qmail-smtpd
    counter("smtp.sessions", Role::qmaild, 0, 4, "relais_smtp_sessions_total", "", "service", services,
            "SMTP sessions that have ended"),
    counter("smtp.messages", Role::qmaild, 4, 4, "relais_smtp_messages_total", "", "service", services,
            "Messages accepted from clients"),
    counter("smtp.recipients", Role::qmaild, 8, 4, "relais_smtp_recipients_total", "", "service", services,
            "Recipients of accepted messages"),
    counter("smtp.refused", Role::qmaild, 16, 64, "relais_smtp_refused_total", "", "cause",
            "other earlytalker rblsmtpd badhelo heloself badmailfrom badmailfromnorelay senderlogins "
            "localsenders badrcptto rcpthosts length recipientcheck reversedns mfcheck dnsbl spfbehavior "
            "greylist ratelimits dmarc syntax size hops octets timeout login commands recipients queue "
            "trouble protocol tls authentication places perip rule proxy milter",
            "Refusals by cause: of a client, a login, a recipient or a message"),
    counter("smtp.suspects", Role::qmaild, 140, 1, "relais_smtp_suspects_total", "", "", "",
            "Recipients accepted although a check has found something"),
    counter("smtp.tls", Role::qmaild, 80, 16, "relais_smtp_tls_sessions_total", "", "version",
            "other TLSv1.3 TLSv1.2 TLSv1.1 TLSv1", "Handshakes of TLS that clients have completed"),
    histogram("smtp.time", Role::qmaild, 100, Unit::milliseconds, span_bounds, "relais_smtp_session_seconds",
              "", "How long SMTP sessions lasted"),
    histogram("smtp.size", Role::qmaild, 120, Unit::octets, size_bounds, "relais_smtp_message_bytes", "",
              "Size of messages accepted from clients"),
    counter("smtp.trace_lost", Role::qmaild, 142, 1, "relais_smtp_trace_lost_total", "", "", "",
            "Events that qmail-traced did not get from qmail-smtpd"),
    // qmail-authd
    counter("login.right", Role::qmaila, 0, 8, "relais_logins_total", "result=\"right\"", "service",
            "other smtp pop3", "Logins by outcome"),
    counter("login.wrong", Role::qmaila, 8, 8, "relais_logins_total", "result=\"wrong\"", "service",
            "other smtp pop3", "Logins by outcome"),
    counter("login.turned_away", Role::qmaila, 16, 8, "relais_logins_total", "result=\"turned_away\"",
            "service", "other smtp pop3", "Logins by outcome"),
    // qmail-queued
    counter("queue.taken", Role::qmailq, 0, 4, "relais_queue_taken_total", "", "door", "network bounce local",
            "Messages taken into the queue, by how they came"),
    counter("queue.refused", Role::qmailq, 8, 32, "relais_queue_refused_total", "", "code",
            "other 11 31 51 52 53 54 55 56 61 62 64 71 72 73 74 81 82 91",
            "Messages not taken into the queue, by the exit code of qmail-queue"),
    // qmail-send
    counter("send.new", Role::qmails, 0, 1, "relais_messages_new_total", "", "", "",
            "Messages that qmail-send has begun to deliver"),
    counter("send.octets", Role::qmails, 1, 1, "relais_messages_new_bytes_total", "", "", "",
            "Size of messages that qmail-send has begun to deliver", Unit::octets),
    counter("send.ended", Role::qmails, 2, 1, "relais_messages_ended_total", "", "", "",
            "Messages that have left the queue"),
    counter("send.started", Role::qmails, 4, 4, "relais_deliveries_started_total", "", "channel", channels,
            "Deliveries begun, one for each recipient"),
    counter("send.success", Role::qmails, 8, 4, "relais_deliveries_total", "result=\"success\"", "channel",
            channels, "Deliveries ended, one for each recipient, by outcome"),
    counter("send.failure", Role::qmails, 12, 4, "relais_deliveries_total", "result=\"failure\"", "channel",
            channels, "Deliveries ended, one for each recipient, by outcome"),
    counter("send.deferral", Role::qmails, 16, 4, "relais_deliveries_total", "result=\"deferral\"", "channel",
            channels, "Deliveries ended, one for each recipient, by outcome"),
    histogram("send.local_time", Role::qmails, 20, Unit::milliseconds, span_bounds, "relais_delivery_seconds",
              "channel=\"local\"", "How long a delivery took"),
    histogram("send.remote_time", Role::qmails, 40, Unit::milliseconds, span_bounds,
              "relais_delivery_seconds", "channel=\"remote\"", "How long a delivery took"),
    histogram("send.queue_time", Role::qmails, 60, Unit::milliseconds, queue_bounds,
              "relais_queue_time_seconds", "", "How long messages were in the queue"),
    counter("send.bounces", Role::qmails, 80, 4, "relais_bounces_total", "", "result",
            "sent discarded refused",
            "Bounces: sent, discarded because they were bounces themselves, refused by the queue"),
    counter("send.expired", Role::qmails, 84, 1, "relais_recipients_expired_total", "", "", "",
            "Recipients given up because their message was too long in the queue"),
    counter("send.transport", Role::qmails, 88, 4, "relais_remote_recipients_total", "", "transport",
            "plain tls", "Recipients accepted by other servers, by how the connection was protected"),
    counter("send.trace_lost", Role::qmails, 92, 1, "relais_send_trace_lost_total", "", "", "",
            "Events that qmail-traced did not get from qmail-send"),
    gauge("send.running", Role::qmails, 100, 4, "relais_deliveries_running", "channel", channels,
          "Deliveries under way"),
    gauge("send.limit", Role::qmails, 104, 4, "relais_deliveries_limit", "channel", channels,
          "Deliveries that may be under way at once"),
    gauge("send.queue", Role::qmails, 108, 16, "relais_queue_messages", "state",
          "new waiting destination active held damaged elsewhere later",
          "Messages in the queue by state: new, waiting for their next try, waiting for their destination"),
    gauge("send.looked", Role::qmails, 128, 1, "relais_send_last_look_timestamp_seconds", "", "",
          "When qmail-send last looked at its queue; these numbers are older where it is not running",
          Unit::seconds),
};

}  // namespace rows

inline constexpr std::span<const Metric> table = rows::table;

// How many values the label has; 1 where there is no label.
constexpr std::size_t count_of_values(const Metric& metric) {
    std::size_t count = 1;
    for (const char c : metric.values) count += c == ' ';
    return count;
}

// The slot of a label's value within the row; that of "other", or the first, for one that is not listed.
constexpr std::size_t slot_of_value(const Metric& metric, std::string_view value) {
    std::size_t fallback = 0, number = 0;
    std::string_view rest = metric.values;
    for (bool more = !rest.empty(); more; ++number) {
        const std::size_t blank = rest.find(' ');
        const std::string_view word = rest.substr(0, blank);
        if (word == value) return number;
        if (word == other_value) fallback = number;
        more = blank != std::string_view::npos;
        if (more) rest.remove_prefix(blank + 1);
    }
    return fallback;
}

}  // namespace relais::metrics
