// qmail-stsd knows the policies of MTA-STS (RFC 8461) of the domains that mail goes to, for qmail-remote: it
// fetches them by HTTPS, keeps them and fetches them anew before they end.
//
// Trust: domains come from qmail-remote, policies from anybody's web server, records and addresses from
// qmail-resolver: none is believed beyond its form. Processes of its own fetch; they write no file and give a
// small packet. The one that answers qmail-remote opens no connection, and writes sts/ alone. Both are
// qmailw. qmail-start starts it with the listening socket on descriptor 3.
//
// Inputs: questions (sts/protocol.h), sts/, control/privatemx, control/mtastsca.
// Exit codes: 0 after SIGTERM, 100 wrong usage or owners, 111 a fetcher has gone (qmail-start starts it
// again).
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "start/daemons.h"
#include "sts/fetch.h"
#include "sts/server.h"

namespace {

using namespace relais;

constexpr std::size_t fetchers = 3;
constexpr std::size_t policies = 10000;

// Where the file of authorities lies, and what it may lead to.
std::vector<std::string> authorities(const control::Home& home) {
    const std::string file = control::read<"mtastsca">(home);
    const std::size_t slash = file.rfind('/');
    if (slash == std::string::npos || slash == 0) return {};
    return {file.substr(0, slash)};
}

Fd start_fetcher(const control::Home& home, const std::vector<Fd>& others) {
    auto [ours, theirs] = make_packet_pair();
    const pid_t child = ::fork();
    if (child < 0) throw_errno("start", "a process that fetches policies");
    if (child > 0) return std::move(ours);
    try {
        // In the middle of a fetch, too.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ours.reset();
        for (const Fd& other : others) ::close(other.get());
        ::close(start::listening("sts"));
        set_process_title("qmail-stsd", {"fetch"});
        control::enter(control::sts_fetch_cage, home, authorities(home));
        sts::serve_fetches(theirs.get(), home);
        ::_exit(static_cast<int>(Exit::success));
    } catch (const std::exception& error) {
        log_line(std::string("qmail-stsd: ") + error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

int work(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-stsd (qmail-start starts it)");
    const auto home = control::Home::from_environment();
    control::warn_of_missing(control::Owners::read(home), {control::Role::qmailw});
    control::become(control::Owners::read(home), control::Role::qmailw);
    sts::prepare_fetching();
    std::vector<Fd> ends;
    for (std::size_t i = 0; i < fetchers; ++i) ends.push_back(start_fetcher(home, ends));
    control::enter(control::stsd_cage, home);
    EventLoop loop;
    loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    sts::Cache cache(home.path("sts"), policies, now_seconds());
    const sts::StsServer server(loop, start::listening("sts"), std::move(ends), cache);
    loop.run();
    if (server.lost_fetcher()) throw Error(Reaction::temporary, "a process that fetches policies has ended");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-stsd", argc, argv, work);
}
