// control/smtproutes and control/authsenders, and a domain or sender to look up in them: the last line. No
// password may get into what people are shown.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "remote/routes.h"
#include "remote/source.h"

namespace {

void check(const relais::remote::Route& route) {
    if (!route.usable) return;
    if (route.port == 0 || route.host.find_first_of("[]|") != std::string::npos) std::abort();
    if (!route.credentials) return;
    if (route.credentials->user.empty() || route.credentials->password.size() == 0) std::abort();
    if (!route.line.ends_with("|...")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::remote;
    const auto parts = relais::split({reinterpret_cast<const char*>(data), size}, '\n');
    check(Routes(parts).match(parts.back()));
    const SenderRoutes senders(parts);
    if (const Route* route = senders.match(parts.back())) check(*route);
    const std::vector<std::string> lines(parts.begin(), parts.end());
    const LmtpRoutes stores(lines);
    if (const Route* route = stores.match(parts.back()); route != nullptr && route->usable)
        if (route->socket.empty() ? route->port == 0 || route->host.empty() : route->socket.front() != '/')
            std::abort();
    const Sources sources({lines.front()}, lines);
    const Source& source = sources.choose(lines.back(), lines.back());
    if (source.usable != source.complaint.empty()) std::abort();
    return 0;
}
