// qmail-traced remembers what became of each message, and who was refused and why, for qmail-trace.
//
// Trust: what it is told comes from qmail-smtpd, which speaks with strangers, and from qmail-send; each has a
// socket of its own and may tell of its own things alone. Lengths are checked, and its room is bounded.
// Whoever breaks into qmail-smtpd can invent refusals and acceptances here, and nothing else. It runs as
// qmailt, without network, and writes trace/ alone. qmail-start starts it with the listening sockets on
// descriptors 3 and 4.
//
// Inputs: packets (trace/protocol.h), trace/*.db, control/keeptrace.
// Exit codes: 0 after SIGTERM, 100 wrong usage or owners, 111 temporary.
#include <signal.h>

#include "base/error.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "start/daemons.h"
#include "trace/server.h"

namespace {

using namespace relais;

// One for each session process of qmail-smtpd, and some.
constexpr std::size_t clients = 4000;
// Beside those: the files, and what the loop has.
constexpr std::size_t other_descriptors = 40;

int work(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-traced (qmail-start starts it)");
    const auto home = control::Home::from_environment();
    control::warn_of_missing(control::Owners::read(home), {control::Role::qmailt});
    control::become(control::Owners::read(home), control::Role::qmailt);
    const auto limits = trace::Limits::read(home).value_or(trace::Limits{});
    const std::size_t descriptors = raise_descriptor_limit(clients + other_descriptors);
    control::enter(control::traced_cage, home);
    EventLoop loop;
    loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    trace::Store store(home.path("trace"), limits);
    trace::Server server(loop, {start::listening("trace-smtp"), start::listening("trace-send")}, store,
                         std::max(descriptors, other_descriptors + 10) - other_descriptors);
    loop.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-traced", argc, argv, work);
}
