// A message in the queue is one file, mess/SPLIT/ID, written once by qmail-queued and then only marked:
//
//   message    the message as accepted, our trace field on top                               message_size octets
//   envelope   info NUL sender NUL (mark recipient NUL)* NUL [extension]                      envelope_size octets
//   status     a fixed block, rewritten in place                                             status_size octets
//   footer     sizes and a checksum; its presence says that the file is whole                footer_size octets
//
// info is "uid U pid P role R" in text, for the info line and the tools. mark is one octet: T to do, D done,
// F failed and bounce owed. The checksum covers message and envelope with every mark read as T. Numbers are
// little-endian. docs/internals.md draws the states. This header is the only place that knows the layout.
//
// The footer's magic names the version: 1 has no extension, 2 has one (mail/envelope.h). 2 is written only
// for a message of which an extension has something to say; both are read for good.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "queue/recipients.h"

namespace relais::queue {

// A message's name from acceptance to the end: the microsecond of its birth (wall clock), never smaller than
// the one before, printed in decimal.
using MessageId = std::uint64_t;

inline constexpr std::size_t split_count = 64;
inline constexpr std::size_t status_size = 256;
inline constexpr std::size_t footer_size = 64;
inline constexpr std::size_t error_text_size = 208;

// Which socket a message came by: the text of its trace field and info.
enum class Origin { network, bounce, user };

// "network", "bounce" or "user".
std::string_view origin_name(Origin origin);

struct Envelope {
    std::uint32_t uid = 0;  // of the submitter
    std::uint32_t pid = 0;  // of the submitting program, 0 if its messages go by the id
    Origin origin = Origin::user;
    std::string sender;
    Recipients recipients;
    // Read from a file, its submitter is never unsaid: what no extension says is known from origin and uid.
    mail::EnvelopeOptions options{};
};

// Written in place by qmail-send and the queue tools; a torn or absurd one counts as all zero.
struct Status {
    bool hold = false;
    bool by_hand = false;  // who runs this host holds it: it does not end by itself
    std::uint32_t tries = 0;
    std::int64_t next_try = 0;  // unix seconds; 0 = by the schedule
    std::int64_t last_try = 0;
    std::int64_t released = 0;  // when somebody sent it before the time that its envelope names
    std::string last_error;     // cut to error_text_size
};

struct Footer {
    std::uint64_t message_size = 0;
    std::uint64_t envelope_size = 0;
    std::uint64_t checksum = 0;
    unsigned version = 1;
};

// A keyless 64-bit checksum against torn writes, not against malice. Update in pieces.
class Checksum {
  public:
    void update(std::string_view data);
    std::uint64_t value() const;

  private:
    std::uint64_t state_ = 0x9e3779b97f4a7c15U;
    std::uint64_t length_ = 0;
    std::uint64_t partial_ = 0;
    unsigned partial_octets_ = 0;
};

// The checksum of message (in body) and envelope, one that decode_envelope has given, as it was when every
// mark was T.
std::uint64_t checksum_unmarked(Checksum body, const Envelope& envelope);

// With its extension, if there is something to say by one: version_of tells.
std::string encode_envelope(const Envelope& envelope);
// 1 or 2: which version the file of a message with that envelope has.
unsigned version_of(const Envelope& envelope);
// The first field of an envelope alone, with its NUL: what qmail-queued puts before a submitted envelope.
std::string encode_info(const Envelope& envelope);
std::string encode_status(const Status& status);
std::string encode_footer(const Footer& footer);

// Decoders answer nothing for anything that is not exactly right; envelope_offset is where the envelope
// starts in the file (mark offsets are absolute), version its footer's.
std::optional<Envelope> decode_envelope(std::string data, std::uint64_t envelope_offset,
                                        unsigned version = 1);
Status decode_status(std::string_view data);
std::optional<Footer> decode_footer(std::string_view data, std::uint64_t file_size);

// What the end of a file says that has no valid footer. Only what has our magic in a version known here can
// be a damaged message.
enum class Trace {
    none,             // a footer was never written, or it was cut off
    known_version,    // the magic is there: the message was once whole, or nearly
    another_version,  // a footer that this program does not know how to read
};
Trace footer_trace(std::string_view end);

// Sizes and checksum as they stand in something that begins with our magic, whether its own check fits or
// not; nothing if it is too short for them.
std::optional<Footer> read_footer_loosely(std::string_view data);
// Where the last footer of known version begins in data.
std::optional<std::size_t> find_footer(std::string_view data);

}  // namespace relais::queue
