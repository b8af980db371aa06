// Replies of a server (RFC 5321, 4.2), as they come from anybody on the Internet. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relais::remote {

// Judged by its first digit (RFC 5321, 4.2.1), but for 421, which says that the server hangs up.
struct Reply {
    int code = 0;      // 0: what came is no reply
    std::string text;  // its lines, each with LF, codes included; cut to the parser's limits

    bool positive() const { return code >= 200 && code < 300; }
    bool intermediate() const { return code >= 300 && code < 400; }
    bool permanent() const { return code >= 500; }
};

// Collects one reply from the octets of a connection. Its last line says the code, however long it is; of its
// text the beginning is kept.
class ReplyParser {
  public:
    // Octets of text kept of a reply, and of each of its lines.
    static constexpr std::size_t text_limit = 16 * 1024;
    static constexpr std::size_t line_limit = 4096;
    // A server that says more than this in one reply is not answering: code 0.
    static constexpr std::size_t octets_limit = std::size_t{1} << 20;

    // Takes octets in whatever pieces they come. How many of them belong to the reply: all, unless it is
    // complete.
    std::size_t feed(std::string_view octets);
    // Also when it became none: that is known at the end of its first wrong line, or at line_limit.
    bool complete() const { return complete_; }
    Reply finish();

  private:
    void end_line();

    Reply reply_;
    std::string line_;
    std::size_t octets_ = 0;
    bool complete_ = false;
};

// What a server offers in its answer to EHLO.
struct Extensions {
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool smtp_utf8 = false;
    bool size = false;
    std::uint64_t size_limit = 0;  // 0: none is told
    bool starttls = false;
    bool dsn = false;
    bool deliver_by = false;
    std::uint64_t least_by = 0;  // seconds that BY must say at least
    bool mt_priority = false;
    bool requiretls = false;          // RFC 8689; only in TLS
    std::vector<std::string> auth{};  // mechanisms, as "AUTH" or the older "AUTH=" names them; each once
};
Extensions parse_extensions(const Reply& reply);

// Those that are told from their keyword. Their order stays: each has its bit in the memory of servers.
struct ExtensionKeyword {
    std::string_view keyword;
    bool Extensions::*offered;
};
inline constexpr ExtensionKeyword extension_keywords[] = {
    {"PIPELINING", &Extensions::pipelining}, {"8BITMIME", &Extensions::eight_bit_mime},
    {"SMTPUTF8", &Extensions::smtp_utf8},    {"SIZE", &Extensions::size},
    {"STARTTLS", &Extensions::starttls},     {"DSN", &Extensions::dsn},
    {"DELIVERBY", &Extensions::deliver_by},  {"MT-PRIORITY", &Extensions::mt_priority},
    {"REQUIRETLS", &Extensions::requiretls}};

}  // namespace relais::remote
