// What a bounce says: which recipients failed, and in which words. Pure; the input is anybody's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relais::explain {

// Of a message no more than this is looked at: the copy of the original comes last.
inline constexpr std::size_t bounce_message_limit = std::size_t{4} << 20;
inline constexpr std::size_t refusals_limit = 1000;

struct Refusal {
    std::string recipient;  // empty: not known
    std::string text;
    friend bool operator==(const Refusal&, const Refusal&) = default;
};

// Reads a bounce: qmail's own form (QSBMF), a report by RFC 3464, Exim's and other plain ones. A text that is
// no message is one refusal without a recipient.
std::vector<Refusal> read_refusals(std::string_view input);

// The paragraphs of a QSBMF bounce, or of the bounce text in the queue: "<address>:" and lines, each up to a
// blank line.
std::vector<Refusal> read_paragraphs(std::string_view text);

}  // namespace relais::explain
