#include "console/serve.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "console/front.h"
#include "console/helper.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "net/network.h"
#include "net/socket.h"
#include "start/daemons.h"

namespace relais::console {
namespace {

constexpr std::size_t descriptors = 200;

// Nothing where control/consoleaddress names none. What is wrong with it is said once; it counts when
// qmail-console is started anew.
Fd listen_where_told(const std::string& text, std::set<std::string>& hosts) {
    if (text.empty()) return {};
    const auto endpoint = net::parse_endpoint(text);
    if (!endpoint || !(endpoint->ip.starts_with("127.") || endpoint->ip == "::1")) {
        log_line("warning: control/consoleaddress: not a loopback address with a port, as 127.0.0.1:8025: " +
                 text + " (for other hosts put a web server with TLS before it)");
        return {};
    }
    try {
        Fd listening = net::listen_tcp(*endpoint);
        hosts.insert(endpoint->text());
        hosts.insert(std::string(local_name) + ":" + std::to_string(endpoint->port));
        return listening;
    } catch (const Error& error) {
        log_line("alert: the console is not served at " + text + ": " + error.what());
        return {};
    }
}

std::pair<Fd, Fd> make_stream_pair() {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0)
        throw_errno("make", "a pair of sockets");
    return {Fd(both[0]), Fd(both[1])};
}

int speak(const control::Home& home, const control::Owners& owners, Fd channel) {
    FrontSettings settings{{local_name}};
    for (const std::string& line : control::read<"consolehosts">(home))
        if (const std::string fault = add_host(settings, line); !fault.empty())
            log_line("warning: control/consolehosts: " + safe_for_log(fault));
    const Fd tcp = listen_where_told(control::read<"consoleaddress">(home), settings.hosts);
    control::become(owners, control::Role::qmailb);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    raise_descriptor_limit(descriptors);
    std::vector<int> listening = {start::listening("console")};
    if (tcp) listening.push_back(tcp.get());
    control::enter(control::console_cage, home);
    EventLoop loop;
    Front front(loop, listening, std::move(channel), home, std::move(settings));
    loop.run();
    return static_cast<int>(Exit::temporary);
}

}  // namespace

int serve(const control::Home& home) {
    const control::Owners owners = control::Owners::read(home);
    control::warn_of_missing(owners, {control::Role::qmailb});
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    auto [ours, theirs] = make_stream_pair();
    const pid_t child = ::fork();
    if (child < 0) throw_errno("fork", "qmail-console's other half");
    if (child == 0) {
        ours.reset();
        return speak(home, owners, std::move(theirs));
    }
    theirs.reset();
    ::close(start::listening("console"));
    EventLoop loop;
    Helper helper(loop, std::move(ours), home, owners);
    loop.run();
    return static_cast<int>(Exit::temporary);
}

}  // namespace relais::console
