// qmail-countd counts what clients send (control/ratelimits) and remembers whom they sent to whom
// (greylisting), for all processes of qmail-smtpd together.
//
// Trust: what it is told comes from qmail-smtpd, which speaks with strangers: lengths and numbers are
// bounded, and so is its memory. Whoever breaks into qmail-smtpd can spoil the counts, and so let a stranger
// wait or pass, and have a login held by counting for it until a hard budget is full; he can neither release
// one nor make a counter forgotten. It runs as qmailc, without network, and writes below counts/ alone.
// qmail-start starts it with the listening socket on descriptor 3.
//
// Inputs: questions (counts/protocol.h), counts/state, counts/held.
// Exit codes: 0 after SIGTERM, 100 wrong usage or owners.
#include <signal.h>

#include "base/error.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "counts/server.h"
#include "start/daemons.h"

namespace {

using namespace relais;

int work(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-countd (qmail-start starts it)");
    const auto home = control::Home::from_environment();
    control::warn_of_missing(control::Owners::read(home), {control::Role::qmailc});
    control::become(control::Owners::read(home), control::Role::qmailc);
    counts::ServerLimits limits;
    // Beside one for each client: the file, and what the loop has.
    constexpr std::size_t for_files = 20;
    const std::size_t descriptors = raise_descriptor_limit(limits.clients + for_files);
    limits.clients = std::max(descriptors, for_files + 10) - for_files;
    control::enter(control::countd_cage, home);
    EventLoop loop;
    loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    counts::CountServer server(loop, start::listening("counts"), home.path("counts"), limits);
    loop.run();
    server.save();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-countd", argc, argv, work);
}
