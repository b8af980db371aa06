// What is known of one recipient for a report about him, beside the prose that QSBMF has for people. It
// stands behind his paragraph in a bounce text:
//
//   bounce text = (paragraph [facts])*
//   facts       = NUL (name SP value NUL)* NUL
//
// They are written only where control/bounceformat asks for more than prose: what reads such a file in an
// instance without it finds paragraphs alone. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relais::send {

struct RecipientFacts {
    std::string address;    // as the sender wrote it
    std::string orcpt{};    // as RCPT had it
    std::string status{};   // RFC 3463
    std::string reply{};    // of the server that decided, one line; "" if none did
    std::string reason{};   // our own words, one line
    std::string server{};   // name of that server
    std::string relayed{};  // "yes": handed on to a server that tells no more
    std::int64_t when = 0;  // unix seconds, of the last try
};

std::string encode(const RecipientFacts& facts);

struct BounceText {
    std::string paragraphs{};
    std::vector<RecipientFacts> recipients{};  // one for each; from the prose where there are no facts
};
BounceText parse_bounce_text(std::string_view text);

}  // namespace relais::send
