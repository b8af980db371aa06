#include "pop3/crowd.h"

#include "base/error.h"
#include "base/file.h"
#include "base/program.h"
#include "base/text.h"
#include "control/setting.h"
#include "listen/places.h"
#include "net/tcp_table.h"
#include "opensmtp/address.h"

namespace relais::pop3 {
namespace {

constexpr std::size_t table_limit = std::size_t{64} << 20;

}  // namespace

Crowd count_connections(std::string_view table, std::uint16_t port, std::string_view ip) {
    const std::string own = listen::neighbourhood(opensmtp::canonical_client(ip).value_or(std::string(ip)));
    Crowd crowd;
    net::each_tcp_socket(table, [&](const net::TcpSocket& socket) {
        if (socket.port != port || !socket.is_connected()) return;
        const auto peer = net::tcp_address(socket.remote);
        if (!peer) return;
        ++crowd.all;
        if (listen::neighbourhood(*peer) == own) ++crowd.neighbours;
    });
    return crowd;
}

Crowd crowd_around_client() {
    const auto port = parse_number(environment("TCPLOCALPORT", ""));
    if (!port || *port == 0 || *port > 65535) return {};
    Crowd crowd;
    for (const char* path : net::tcp_tables) {
        try {
            const auto table = read_file(path, table_limit);
            const Crowd found = count_connections(table.value_or(""), static_cast<std::uint16_t>(*port),
                                                  environment("TCPREMOTEIP", ""));
            crowd.all += found.all;
            crowd.neighbours += found.neighbours;
        } catch (const Error&) {
        }
    }
    return crowd;
}

std::size_t limit_of_one(const control::Home& home, std::string_view ip, std::size_t all) {
    const std::string own = environment("PERIP", "");
    if (!own.empty()) return listen::share_of_one(own, all);
    if (opensmtp::NetworkSet(control::read<"authtrusted">(home)).match(ip)) return 0;
    return listen::share_of_one(control::read<"perip">(home), all);
}

}  // namespace relais::pop3
