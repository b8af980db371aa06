// qmail-rcptd: tells qmail-smtpd whether mail for an address would find a mailbox here, before the message is
// there.
//
// Started by qmail-start with the listening socket sockets/recipients on descriptor 3 (start/descriptors.h),
// which qmaild alone may connect to. Two halves. The one that speaks with clients is this program again with
// -q, as qmailp: it reads the rules of qmail-send, users/cdb and the system's users. The other one stays root
// in a system instance: it reads fixed numbers and the local part from the first half alone, and forks, for
// each user that is asked about, a process which becomes that user and looks for .qmail files
// (local/home_looks.h); it refuses whom qmail-lspawn refuses. Inputs: addresses from the network,
// control/{owners,me,locals,virtualdomains,percenthack,envnoathost,minimumuid}, users/cdb, passwd, .qmail
// files. Exit codes: 100 wrong usage, 111 anything else. It never ends by itself; qmail-start starts it
// again.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "control/owners.h"
#include "local/home_looks.h"
#include "local/recipient_server.h"
#include "start/daemons.h"

namespace {

using namespace relais;

constexpr int looks_channel = start::listening("recipients") + 1;

int serve_clients(const control::Home& home) {
    local::RecipientLimits limits;
    // Beside one for each client: rules, users and their watches.
    constexpr std::size_t for_files = 50;
    const std::size_t descriptors = raise_descriptor_limit(limits.clients + for_files);
    limits.clients = std::max(descriptors, for_files + 10) - for_files;
    EventLoop loop;
    const local::RecipientServer server(loop, start::listening("recipients"), looks_channel, home, limits);
    loop.run();
    return static_cast<int>(Exit::temporary);  // the other half has gone
}

[[noreturn]] void become_clients_half(const control::Home& home, int channel) {
    try {
        EventLoop::restore_signals();
        if (channel != looks_channel && ::dup2(channel, looks_channel) < 0)
            throw_errno("place", "a descriptor");
        set_close_on_exec(looks_channel, false);
        set_close_on_exec(start::listening("recipients"), false);
        ::close_range(looks_channel + 1, ~0U, 0);
        const std::string path = home.program("qmail-rcptd");
        control::become(control::Owners::read(home), control::Role::qmailp);
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        ::execl(path.c_str(), "qmail-rcptd", "-q", static_cast<char*>(nullptr));
        throw_errno("run", path);
    } catch (const std::exception& error) {
        log_line(error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

int look_into_homes(const control::Home& home) {
    auto [ours, theirs] = make_packet_pair();
    const pid_t clients = ::fork();
    if (clients < 0) throw_errno("fork", "the half for clients");
    if (clients == 0) become_clients_half(home, theirs.get());
    theirs.reset();
    ::close(start::listening("recipients"));
    EventLoop loop;
    local::HomeLooks looks(loop, home, std::move(ours));
    loop.run();
    return static_cast<int>(Exit::temporary);
}

int serve(const Arguments& arguments) {
    const control::Home home = control::Home::from_environment();
    if (arguments == Arguments{"-q"}) return serve_clients(home);
    if (!arguments.empty()) throw_permanent("usage: qmail-rcptd (started by qmail-start)");
    return look_into_homes(home);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-rcptd", argc, argv, serve);
}
