// What is said over a connection to a milter (libmilter's protocol, versions 2 to 6). We are the MTA's side:
// packets of a command go out, replies come back. Pure.
//
//   packet = length (4 octets, big-endian, of what follows) command (1 octet) data
//
// The other side is a program that the administrator trusts with mail, but one that parses what strangers
// write: whatever it answers has a limit, and what is not exactly right ends the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relais::milter {

inline constexpr std::size_t length_size = 4;
// Of a packet that a milter sends, and of what of a body we send in one.
inline constexpr std::size_t packet_limit = std::size_t{1} << 20;
inline constexpr std::size_t body_piece = 65535;
inline constexpr std::uint32_t version_offered = 6;
inline constexpr std::uint32_t version_least = 2;

enum class Command : char {
    negotiate = 'O',
    macros = 'D',
    connect = 'C',
    helo = 'H',
    mail = 'M',
    rcpt = 'R',
    data = 'T',
    header = 'L',
    end_of_header = 'N',
    body = 'B',
    end_of_body = 'E',
    abort = 'A',
    quit = 'Q',
};

// What a milter may do to a message.
namespace action {
inline constexpr std::uint32_t add_header = 0x01, change_body = 0x02, add_rcpt = 0x04, delete_rcpt = 0x08,
                               change_header = 0x10, quarantine = 0x20, change_from = 0x40,
                               add_rcpt_with = 0x80;
inline constexpr std::uint32_t offered = 0xff;
}  // namespace action

// Steps that it does not want, and those that it does not answer.
namespace step {
inline constexpr std::uint32_t no_connect = 0x01, no_helo = 0x02, no_mail = 0x04, no_rcpt = 0x08,
                               no_body = 0x10, no_header = 0x20, no_end_of_header = 0x40, mute_header = 0x80,
                               no_unknown = 0x100, no_data = 0x200, skip = 0x400, mute_connect = 0x1000,
                               mute_helo = 0x2000, mute_mail = 0x4000, mute_rcpt = 0x8000,
                               mute_data = 0x10000, mute_unknown = 0x20000, mute_end_of_header = 0x40000,
                               mute_body = 0x80000, leading_space = 0x100000;
// All but refused recipients (0x800): a milter hears of those that have passed.
inline constexpr std::uint32_t offered = 0x1ff7ff;
}  // namespace step

struct Negotiated {
    std::uint32_t version = 0;
    std::uint32_t actions = 0;
    std::uint32_t steps = 0;
    bool operator==(const Negotiated&) const = default;
};

using Macros = std::vector<std::pair<std::string_view, std::string>>;

std::string packet(Command command, std::string_view data);
std::string negotiation_packet();
// name in braces where it has more than one letter. A value ends at its first NUL; what is empty is left out.
std::string macros_packet(Command of, const Macros& macros);
// ip: "" or no address: family unknown.
std::string connect_packet(std::string_view host, std::string_view ip, std::uint16_t port);
// MAIL or RCPT: address without brackets, and the parameters behind it.
std::string path_packet(Command command, std::string_view address, std::string_view parameters);
// name and value as the message has them, folds ending in LF; the space before a value goes unless asked for.
std::string header_packet(std::string_view name, std::string_view value, bool leading_space);

// The length that stands in front; nothing for one of zero or above packet_limit.
std::optional<std::size_t> packet_length(std::string_view head);

// A whole packet without its length, as the answer to our offer. Nothing for what is none, or asks for what
// was not offered.
std::optional<Negotiated> decode_negotiation(std::string_view packet);

struct Reply {
    enum class Kind {
        go_on,
        accept,
        reject,
        tempfail,
        discard,
        code,      // text: the reply for the client
        shutdown,  // 421
        skip,
        progress,
        add_header,     // name, text
        insert_header,  // number: before which; name, text
        change_header,  // number: which one of that name, from 1; name, text ("": it goes)
        add_rcpt,       // text
        delete_rcpt,    // text
        change_from,    // text
        replace_body,   // text: a piece
        quarantine,     // text: why
    };
    Kind kind;
    std::uint32_t number = 0;
    std::string name{};
    std::string text{};
};
// A whole packet without its length. Nothing for one that is not exactly right. Addresses come back without
// brackets, header values with LF; a reply for the client as "550 text (#5.7.1)".
std::optional<Reply> decode_reply(std::string_view packet);

// The action that it takes; 0 for one that needs none.
std::uint32_t needed_action(Reply::Kind kind);

// "550 5.7.1 no" of a milter, of several lines perhaps, as our replies have it. Nothing if it is no reply
// that refuses.
std::optional<std::string> reply_text(std::string_view text);

}  // namespace relais::milter
