// Replies of a server (RFC 5321, 4.2), as they come from anybody on the Internet. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::remote {

struct Reply {
    int code = 0;      // 0: what came is no reply
    std::string text;  // its lines, each with LF, codes included; cut to text_limit

    bool positive() const { return code >= 200 && code < 300; }
    bool intermediate() const { return code >= 300 && code < 400; }
    bool permanent() const { return code >= 500; }
};

// Collects the lines of one reply.
class ReplyParser {
  public:
    // EHLO's reply is the longest that means something; beyond this the text is cut.
    static constexpr std::size_t text_limit = 16 * 1024;
    // A server that says more than this in one reply is not answering.
    static constexpr std::size_t line_limit = 4096;
    static constexpr std::size_t lines_limit = 1000;

    // Takes a line without its LF. True when the reply is complete (also when it became none: code 0).
    bool take(std::string_view line);
    Reply finish();

  private:
    Reply reply_;
    std::size_t lines_ = 0;
};

// What a server offers in its answer to EHLO.
struct Extensions {
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool size = false;
    std::uint64_t size_limit = 0;  // 0: none is told
    bool starttls = false;
    bool dsn = false;
    std::vector<std::string> auth{};  // mechanisms, as "AUTH" or the older "AUTH=" names them; each once
};
Extensions parse_extensions(const Reply& reply);

}  // namespace relais::remote
