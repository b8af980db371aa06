#include "remote/probe.h"

#include <algorithm>

#include "base/error.h"
#include "remote/session.h"
#include "remote/wire.h"

namespace relais::remote {
namespace {

constexpr std::size_t words_shown = 200;

std::string words_of(const Reply& reply) {
    return reply.code == 0 ? "its answer is none" : diagnostic_of(reply).substr(0, words_shown);
}

std::string no_way(const net::ConnectResult& connected) {
    if (connected.failures.empty()) return "there is no address to connect to";
    const net::ConnectFailure& first = connected.failures.front();
    return first.endpoint.ip + ": " + errno_text(first.error_number);
}

}  // namespace

Probed probe(const std::vector<net::Endpoint>& endpoints, const std::string& helo,
             const net::LocalBinding& from, Seconds patience) {
    const Deadline deadline = Deadline::in(patience);
    Probed probed;
    try {
        constexpr std::chrono::milliseconds head_start{300};
        net::ConnectResult connected = net::connect_any(endpoints, patience, head_start, from);
        if (!connected.fd) return {{}, "", no_way(connected)};
        probed.ip = connected.endpoint.ip;
        Wire wire(std::move(connected.fd));
        const Reply greeting = wire.read_reply(deadline);
        if (!greeting.positive()) return {{}, probed.ip, words_of(greeting)};
        wire.write("EHLO " + helo + "\r\n", deadline);
        const Reply reply = wire.read_reply(deadline);
        if (reply.positive())
            probed.extensions = parse_extensions(reply);
        else if (!reply.permanent())
            probed.trouble = words_of(reply);
        wire.write("QUIT\r\n", deadline);
    } catch (const Error& error) {
        probed.trouble = error.what();
    }
    return probed;
}

}  // namespace relais::remote
