// qmail-resolver: asks DNS for the other programs, keeps the one cache, validates DNSSEC.
//
// Started by qmail-start with the listening socket sockets/resolver on descriptor 3 (start/descriptors.h),
// which everybody on the machine may connect to. It becomes qmailn, a user who owns nothing: this is the
// process that parses DNS. No question and no answer is trusted: net/resolver_protocol.h bounds the one,
// libunbound and net/lookup.cc the other. It is confined after its start: it may read its control files,
// resolv.conf and the library's own data, and nothing else.
//
// Reads control/dnsservers, control/timeoutdns, control/dnsanchors and /etc/resolv.conf, also when they
// change. Exit codes: 100 wrong configuration, 111 anything else. It never ends by itself; qmail-start starts
// it again.

#include <algorithm>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "net/resolver_server.h"
#include "start/daemons.h"

namespace {

using namespace relais;

// Where the file of control/dnsanchors lies; a package puts a new one into its place.
std::vector<std::string> trust_anchors(const control::Home& home) {
    const std::string file = control::read<"dnsanchors">(home);
    const std::size_t slash = file.rfind('/');
    if (slash == std::string::npos || slash == 0) return {};
    return {file.substr(0, slash)};
}

int serve(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-resolver (started by qmail-start)");
    const control::Home home = control::Home::from_environment();
    net::ResolverLimits limits;
    constexpr std::size_t for_questions = 600;
    // One for each client, one for each question under way.
    const std::size_t descriptors = raise_descriptor_limit(limits.clients + for_questions);
    limits.clients = std::max<std::size_t>(descriptors, for_questions + 100) - for_questions;
    const control::Owners owners = control::Owners::read(home);
    // Who asks for mail: with few clients each, or every delivery would wait for a user's questions.
    for (const control::Role role : {control::Role::qmaild, control::Role::qmailr, control::Role::qmails,
                                     control::Role::qmailp, control::Role::qmailq})
        limits.ours.insert(owners.of(role).uid);
    control::become(owners, control::Role::qmailn);
    control::enter(control::resolver_cage, home, trust_anchors(home));
    EventLoop loop;
    const net::ResolverServer server(loop, start::listening("resolver"), home, limits);
    loop.run();
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-resolver", argc, argv, serve);
}
