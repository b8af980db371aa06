// Orders and reports between qmail-send and the spawners, one packet each on a SOCK_SEQPACKET pair that qmail-start makes.
// An order carries the message's descriptor, opened for this delivery alone (offset 0, read-only). Each order is answered
// by exactly one report. When the order channel closes, a spawner finishes its deliveries, reports nothing and exits.
//
// qmail-send trusts a report only to be about deliveries that it has running at that spawner. qmail-lspawn (root)
// trusts qmail-send's sizes to be bounded (fixed fields, ended by NUL) and checks the descriptor itself.
// qmail-rspawn hands an order on to a qmail-remote as it came, on that process's own pair, and its report back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::send {

inline constexpr std::size_t packet_limit = 128 * 1024;
inline constexpr std::size_t address_field = 1024;
// Recipients in one order to qmail-remote at most; together they fit a packet.
inline constexpr std::size_t order_recipient_limit = 100;

struct LocalOrder {
    std::uint64_t delivery = 0;
    std::uint64_t message = 0;       // id, for errors
    std::uint64_t message_size = 0;  // octets of the file that are the message
    std::string sender;              // VERP already expanded
    std::string recipient;           // after locals and virtualdomains
};

struct RemoteOrder {
    std::uint64_t delivery = 0;
    std::uint64_t message = 0;
    std::uint64_t message_size = 0;
    std::string host;  // the domain to deliver to, before smtproutes
    std::string sender;
    std::vector<std::string> recipients;
    std::uint32_t connection_messages = 0;  // on one connection at most; 0: as control/remotemessages says
};

enum class Outcome : char { success = 'r', permanent = 'h', temporary = 's' };

struct RecipientReport {
    Outcome outcome = Outcome::temporary;
    std::string text;  // for the log and the bounce, without line end
};

struct Report {
    std::uint64_t delivery = 0;
    std::vector<RecipientReport> recipients;  // one for each of the order, in order
    std::string mx_group;  // remote: names the servers the destination resolved to; equal groups share limits
    bool connection_failed =
        false;  // remote: no server could be reached: the destination as a whole backs off
    std::uint32_t milliseconds = 0;  // remote: how long the transaction took
};

// A LocalOrder is a struct of fixed size on the wire; the others are counted strings. Decoders answer nothing for
// anything that is not exactly right. Addresses and hosts are shorter than address_field and hold no NUL (longer ones
// must be refused before); an encoded report cuts its texts so that all of it fits one packet.
std::string encode(const LocalOrder& order);
std::string encode(const RemoteOrder& order);
std::string encode(const Report& report);
std::optional<LocalOrder> decode_local_order(std::string_view packet);
std::optional<RemoteOrder> decode_remote_order(std::string_view packet);
std::optional<Report> decode_report(std::string_view packet);

}  // namespace relais::send
