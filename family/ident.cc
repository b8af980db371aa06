#include "family/ident.h"

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "net/connect.h"

namespace relais::family {
namespace {

// RFC 1413: a reply has at most 1000 characters.
constexpr std::size_t reply_limit = 1000;

}  // namespace

std::optional<std::string> ident_user(std::string_view reply) {
    // The user may hold colons; the operating system may not.
    std::string_view fields[3];
    for (std::string_view& field : fields) {
        const std::size_t colon = reply.find(':');
        if (colon == std::string_view::npos) return std::nullopt;
        field = trim(reply.substr(0, colon));
        reply.remove_prefix(colon + 1);
    }
    const std::string_view user = trim(reply);
    if (!equal_ignoring_case(fields[1], "USERID") || user.empty() ||
        user.find('\0') != std::string_view::npos)
        return std::nullopt;
    return std::string(user);
}

std::optional<std::string> ask_ident(const net::Endpoint& local, const net::Endpoint& remote,
                                     std::chrono::seconds time, std::uint16_t port) {
    try {
        const Deadline deadline = Deadline::in(time);
        const net::LocalBinding from =
            local.is_v6() ? net::LocalBinding{"", local.ip} : net::LocalBinding{local.ip, ""};
        const net::ConnectResult connected =
            net::connect_any({{remote.ip, port}}, time, std::chrono::milliseconds(0), from);
        if (!connected.fd) return std::nullopt;
        write_all(connected.fd.get(),
                  std::to_string(remote.port) + ", " + std::to_string(local.port) + "\r\n", deadline);
        Reader reader(connected.fd.get());
        std::string reply;
        if (reader.read_line(reply, reply_limit, deadline) == Reader::Line::too_long) return std::nullopt;
        return ident_user(reply);
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace relais::family
