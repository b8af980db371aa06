// What a message would meet at the servers of its recipient: what they offer, as seen at the last delivery or
// asked now, and what becomes of a message that needs more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "explain/finding.h"
#include "remote/server_memory.h"
#include "remote/smtp_reply.h"

namespace relais::explain {

// What of a message matters to a server.
struct MessageTraits {
    std::uint64_t size = 0;         // octets as SMTP counts them; 0: it is not known
    bool eight_bit = false;         // anywhere in it
    bool eight_bit_header = false;  // in its header
    bool smtputf8 = false;          // it came with SMTPUTF8
    bool dsn = false;               // it asks for reports on its delivery
    bool requiretls = false;        // it came with REQUIRETLS
    std::uint64_t longest_line = 0;
    std::uint64_t by = 0;  // it is to be delivered within so many seconds; 0: whenever
    int priority = 0;      // of MT-PRIORITY
};
// Of a message in a file. Throws Error.
void read_traits(const std::string& path, MessageTraits& traits);

// What a server offers.
struct Offer {
    enum class Source { unknown, remembered, asked };
    Source source = Source::unknown;
    std::int64_t seen = 0;  // unix seconds, where it is remembered
    remote::Extensions extensions{};
    std::string trouble{};  // why it could not be asked
    std::optional<remote::KnownServer> known{};
};
std::string_view name_of(Offer::Source source);
// "SIZE 10240000, 8BITMIME, SMTPUTF8"; "nothing".
std::string words_of(const remote::Extensions& extensions);

// What becomes of the message at a server that offers that, by qmail-remote's rules. What bounces is a
// problem. Pure.
std::vector<Finding> judge(const MessageTraits& message, const remote::Extensions& extensions,
                           const std::string& server, std::string_view sender, std::string_view recipient,
                           bool strict_8bit);

}  // namespace relais::explain
