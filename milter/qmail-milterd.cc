// qmail-milterd has milters look at mail from the network: it speaks with those of control/milters for
// qmail-smtpd, which has no network, keeps each message while they do, and gives it back as they leave it.
//
// Trust: messages and envelopes are strangers', answers are those of the milters, which parse what strangers
// write: lengths and numbers are bounded, and what is no answer ends the connection. It does not see the
// queue. Who breaks into it sees and changes mail from the network, as a milter may. Each session has a
// process of its own. It runs as qmailx; qmail-start starts it with the listening socket on descriptor 3.
//
// Inputs: frames (milter/protocol.h), control/milters; milter/ has messages without a name.
// Exit codes: 0 after SIGTERM, 100 wrong usage or owners.
#include <signal.h>

#include "base/error.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "milter/server.h"
#include "start/daemons.h"

namespace {

using namespace relais;

constexpr std::size_t sessions = 1000;

int work(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-milterd (qmail-start starts it)");
    const auto home = control::Home::from_environment();
    control::warn_of_missing(control::Owners::read(home), {control::Role::qmailx});
    control::become(control::Owners::read(home), control::Role::qmailx);
    control::enter(control::milterd_cage, home);
    EventLoop loop;
    loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    const milter::MilterServer server(loop, start::listening("milter"), home, sessions);
    loop.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-milterd", argc, argv, work);
}
