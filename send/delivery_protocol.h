// Orders and reports between qmail-send and the spawners, one packet each on a SOCK_SEQPACKET pair that
// qmail-start makes. An order carries the message's descriptor, opened for this delivery alone (offset 0,
// read-only). Each order is answered by exactly one report, which the spawner keeps until qmail-send says
// that it has taken it.
//
//   to the spawner      orders, "taken N" (N further reports have been acted upon), "cut D" (delivery D is to
//                       end now, and its report is a temporary failure), "retire"
//   from the spawner    reports; on the channel of an heir first what is under way, then the end of that list
//
// A spawner retires when it is told to, when its channel closes, or when an heir comes: another qmail-send,
// whose channel qmail-start has connected to the spawner's listening socket (start/descriptors.h). It takes
// no order from then on, gives back what it has not begun or has cut off, goes on with the rest, and ends
// when all its reports have been taken.
//
// qmail-send trusts a report only to be about deliveries that it has running at that spawner. qmail-lspawn
// (root) trusts qmail-send's sizes to be bounded (fixed fields, ended by NUL) and checks the descriptor
// itself. qmail-rspawn hands an order on to a qmail-remote as it came, on that process's own pair, and its
// report back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "send/channel.h"

namespace relais::send {

inline constexpr std::size_t packet_limit = 168 * 1024;
inline constexpr std::size_t address_field = 1024;
// Recipients in one order to qmail-remote at most, and where more is said of them than their addresses;
// together they fit a packet.
inline constexpr std::size_t order_recipient_limit = 100;
inline constexpr std::size_t order_option_limit = 50;

struct LocalOrder {
    std::uint64_t delivery = 0;
    std::uint64_t message = 0;       // id, for errors
    std::uint64_t message_size = 0;  // octets of the file that are the message
    std::string sender;              // VERP already expanded
    std::string recipient;           // after locals and virtualdomains
    std::uint32_t index = 0;         // of the recipient, in the message's envelope
    std::string extension{};         // mail/envelope.h: what DSN asks for him, "" if nothing
};
inline constexpr std::size_t local_extension_limit = 1024;

struct RemoteOrder {
    std::uint64_t delivery = 0;
    std::uint64_t message = 0;
    std::uint64_t message_size = 0;
    std::string host;  // the domain to deliver to, before smtproutes
    std::string sender;
    std::vector<std::string> recipients;
    std::uint32_t connection_messages = 0;  // on one connection at most; 0: as control/remotemessages says
    std::vector<std::uint32_t> indices{};   // of the recipients, in the message's envelope
    bool crowded = false;                   // others need the place: a silent server is given less time
    mail::EnvelopeOptions options{};        // who submitted the message, and what DSN and its like say of it
    std::vector<mail::RecipientOptions> recipient_options{};  // of each, or none
    std::string signing{};  // leave to have it signed (keyd/mail_token.h), or none
};

enum class Outcome : char { success = 'r', permanent = 'h', temporary = 's' };
// The first digit of its enhanced status codes.
char status_class(Outcome outcome);

struct RecipientReport {
    Outcome outcome = Outcome::temporary;
    std::string text;          // for the log and the bounce, without line end
    std::string status{};      // RFC 3463, of the class of the outcome; "" where nobody said one
    std::string diagnostic{};  // the reply of the server that decided, "" if none did
};
inline constexpr std::size_t diagnostic_limit = 300;

struct Report {
    std::uint64_t delivery = 0;
    // One for each of the order, in order; none gives the order back: it is as if it had never been given.
    std::vector<RecipientReport> recipients;
    std::string mx_group;  // remote: names the servers the destination resolved to; equal groups share limits
    bool connection_failed =
        false;  // remote: no server could be reached: the destination as a whole backs off
    std::uint32_t milliseconds = 0;  // remote: how long the transaction took
    // The server that the message was offered to, "" if it came to none.
    std::string server{};     // name
    std::string server_ip{};  // address
    std::string tls{};        // how the connection was encrypted; "" if it was not
    bool dsn = false;         // what DSN asks for was passed on to it
    bool deliver_by = false;  // and by when it is to be delivered
};

// What a delivery reports that was cut.
inline constexpr std::string_view cut_text = "It was cut off by hand. (#4.3.0)";

// A delivery of a retired spawner's, told to its heir.
struct UnderWay {
    std::uint64_t delivery = 0;
    std::uint64_t message = 0;
    std::int64_t since = 0;  // unix seconds
    Channel channel = Channel::remote;
    std::string address;                 // the order's recipient, or its host
    std::vector<std::uint32_t> indices;  // of the recipients, in the message's envelope
};

// A LocalOrder is a struct of fixed size on the wire, and its extension; the others are counted strings.
// Decoders answer nothing for anything that is not exactly right. Addresses and hosts are shorter than
// address_field and hold no NUL (longer ones must be refused before); an encoded report cuts its texts so
// that all of it fits one packet. A report of the release before, as retired spawners send it, is understood.
std::string encode(const LocalOrder& order);
std::string encode(const RemoteOrder& order);
std::string encode(const Report& report);
std::string encode(const UnderWay& delivery);
std::string encode_end_of_list();
std::string encode_taken(std::uint32_t reports);
std::string encode_cut(std::uint64_t delivery);
std::string encode_retire();
std::optional<LocalOrder> decode_local_order(std::string_view packet);
std::optional<RemoteOrder> decode_remote_order(std::string_view packet);
std::optional<Report> decode_report(std::string_view packet);
std::optional<UnderWay> decode_under_way(std::string_view packet);
bool is_end_of_list(std::string_view packet);
std::optional<std::uint32_t> decode_taken(std::string_view packet);
std::optional<std::uint64_t> decode_cut(std::string_view packet);
bool is_retire(std::string_view packet);

}  // namespace relais::send
