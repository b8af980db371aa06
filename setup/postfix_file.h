// What stands in the files of a Postfix queue (postfix-3.x, rec_type.h of its sources), and what is made of
// it. Pure; anything may stand in them.
//
//   file     record*, the last of type E
//   record   type length data         length: seven bits an octet, the low ones first, the last octet below 128
//   C sizes  T arrival  A name=value  S sender  (n notify | o ORCPT | O original)* (R | D | /) recipient
//   M        what follows is the message: N a line, L a part of one, up to X
//   p        an offset: there it goes on; w: a record that was overwritten
//
//   bounce   ((<recipient>: text LF)? (name=value LF)* LF)*     of those that failed
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "queue/store.h"

namespace relais::setup {

struct PostfixFile {
    std::string fault{};      // what was left out, and why; "" if nothing
    bool whole = false;       // sender, recipients and message could be read to the end
    bool killed = false;      // deleted, or delivered to all
    std::uint64_t birth = 0;  // microseconds
    queue::Envelope
        envelope{};      // a message without a client is a user's; 0 is its uid where nothing says more
    std::string text{};  // the message
    std::vector<std::string> notes{};  // what it meant to Postfix and does not mean here
};
PostfixFile parse_postfix_file(std::string_view file);

struct PostfixFailure {
    std::string recipient;
    std::string reason;
};
// Those that failed for good, in order.
std::vector<PostfixFailure> parse_postfix_bounce(std::string_view text);
// "<RECIPIENT>:", and what is to be told of it: as a bounce text of ours has it.
std::string bounce_paragraph(const std::string& recipient, const std::string& reason);

// What a program of this host has submitted, as what takes it from there would have completed it: without
// Bcc, and with From, Date and Message-Id, where they are missing, on top.
struct Completion {
    std::string sender;
    std::string date;        // as RFC 5322 has it
    std::string message_id;  // with < and >
};
std::string completed_text(std::string_view text, const Completion& with);

}  // namespace relais::setup
