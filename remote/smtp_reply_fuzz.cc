// A server's replies, line by line, as it likes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "remote/smtp_reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::remote;
    std::string_view octets(reinterpret_cast<const char*>(data), size);
    const std::size_t piece = size == 0 ? 1 : data[0] % 64 + 1U;
    ReplyParser parser;
    while (!octets.empty()) {
        octets.remove_prefix(parser.feed(octets.substr(0, piece)));
        if (!parser.complete()) continue;
        const Reply reply = parser.finish();
        if (reply.text.size() > ReplyParser::text_limit) std::abort();
        if (reply.code != 0 && (reply.code < 200 || reply.code > 599)) std::abort();
        parse_extensions(reply);
    }
    return 0;
}
