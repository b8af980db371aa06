// rblsmtpd's decision about a client, by its options and DNS; without its dialogue.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/program.h"
#include "net/resolver_protocol.h"

namespace relais::family {

struct BlockOptions {
    struct Source {
        bool blocks;  // -r; else -a
        std::string zone;
    };
    std::vector<Source> sources;  // in their order
    bool fail_closed = false;     // -c
    bool final = false;           // -b
    std::chrono::seconds timeout{60};
    Arguments command;

    // Throws a permanent Error that shows the usage.
    static BlockOptions read(const Arguments& arguments);
};

// Why a client is refused, as $RBLSMTPD has it: with a minus in front if that is final; nothing if it is not.
// address: in text form; others are on no list.
std::optional<std::string> look_up_client(const BlockOptions& options, const std::string& address,
                                          net::Resolver& resolver);
// "553 text" or "451 text", one line of 200 octets of text at most.
std::string block_reply(std::string_view text);

}  // namespace relais::family
