// A server's replies, line by line, as it likes.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "remote/smtp_reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::remote;
    ReplyParser parser;
    for (const std::string_view line : relais::split({reinterpret_cast<const char*>(data), size}, '\n')) {
        if (!parser.take(line)) continue;
        const Reply reply = parser.finish();
        if (reply.text.size() > ReplyParser::text_limit + 1) std::abort();
        if (reply.code != 0 && (reply.code < 200 || reply.code > 599)) std::abort();
        parse_extensions(reply);
    }
    return 0;
}
