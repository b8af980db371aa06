// What qmail-smtpd and qmail-milterd say to each other: one connection of the stream socket "milter" for each
// SMTP session that has a recipient, in frames.
//
//   frame = kind (1 octet) length (4 octets, little-endian, of what follows) body
//
//   qmail-smtpd says                                         and hears
//     S  session: facts                                      nothing; a new connection to each milter
//     M  mail: facts, a transaction begins                   nothing; what was there before is forgotten
//     R  recipient: exempt ('1' or '0') address NUL parameters NUL    V
//     H  the trace field that the text will have, and no milter sees    nothing
//     T  a piece of the text, LF line ends                   nothing
//     E  the text has ended                                  V, and where it passes N, T*, Z
//   qmail-milterd says
//     V  kind (1 octet: p pass, r refuse, d discard) reply NUL who NUL why NUL
//     N  hold ('1' or '0') why NUL what NUL sender NUL (recipient NUL)*    the envelope; what was changed
//     T  a piece of the text as it is now
//     Z  that was all of it
//
//   facts = (name NUL value NUL)*
//
// exempt: our postmaster or abuse, who gets mail from those that a milter would not hear. qmail-milterd
// trusts nobody's lengths; qmail-smtpd takes its answers for those of the milters, within the limits below.
// Whoever breaks the form loses the connection, and the client is told to come back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"

namespace relais::milter {

inline constexpr std::size_t frame_head_size = 5;
inline constexpr std::size_t piece_limit = 65536;
// Of any other frame.
inline constexpr std::size_t frame_limit = std::size_t{128} << 20;
inline constexpr std::size_t facts_limit = 64 * 1024;
// What qmail-milterd takes to answer at most, however many milters there are.
inline constexpr Seconds recipient_patience{240};
inline constexpr Seconds message_patience{540};

using Facts = std::vector<std::pair<std::string, std::string>>;
std::string encode_facts(const Facts& facts);
// Nothing for anything that is not exactly right.
std::optional<Facts> decode_facts(std::string_view body);
// "" if there is none of that name.
std::string_view fact(const Facts& facts, std::string_view name);

struct Verdict {
    enum class Kind : char { pass = 'p', refuse = 'r', discard = 'd' };
    Kind kind = Kind::pass;
    std::string reply{};  // of refuse
    std::string who{};    // the milter that decided
    std::string why{};    // beside the reply
    bool operator==(const Verdict&) const = default;
};
std::string encode_verdict(const Verdict& verdict);
std::optional<Verdict> decode_verdict(std::string_view body);

struct RecipientQuestion {
    bool exempt = false;
    std::string address{};
    std::string parameters{};
    bool operator==(const RecipientQuestion&) const = default;
};
std::string encode_recipient(const RecipientQuestion& question);
std::optional<RecipientQuestion> decode_recipient(std::string_view body);

struct Outcome {
    bool hold = false;
    std::string hold_reason{};
    std::string changes{};  // for the log; "" if there were none
    std::string sender{};
    std::vector<std::string> recipients{};
    bool operator==(const Outcome&) const = default;
};
std::string encode_outcome(const Outcome& outcome);
std::optional<Outcome> decode_outcome(std::string_view body);

struct Frame {
    char kind = 0;
    std::string body{};
};
// The head; nothing for a kind that none of `kinds` is, or a length above the limit.
std::optional<std::size_t> frame_length(std::string_view head, std::string_view kinds);
// Throws Error.
void write_frame(int fd, char kind, std::string_view body, Deadline deadline);
// Nothing at the end of the connection. Throws Error, also for what is no frame of these kinds.
std::optional<Frame> read_frame(int fd, std::string_view kinds, Deadline deadline);

}  // namespace relais::milter
