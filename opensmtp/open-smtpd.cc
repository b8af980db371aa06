// open-smtpd: keeps the open-smtp store, which says from where somebody logged in not long ago and may relay.
//
// Trust: it is the only writer of $QMAILHOME/open-smtp, as qmailo, without network. Whoever can connect to
// its socket (root, or the one user of a user instance) may change everything; a channel that is bound to an
// address may only confirm one login from there (opensmtp/protocol.h). qmail-start starts it with the
// listening socket on descriptor 3.
//
// Inputs: requests, control/{opensmtplifetime,opensmtpprefix6,opensmtpexclude}; a change counts at once.
// Exit codes: 0 after SIGTERM, 100 wrong usage or owners, 111 no store.
#include <signal.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "opensmtp/server.h"
#include "start/daemons.h"

using namespace relais;

namespace {

// Each login under way is a connection.
void allow_many_descriptors() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 10000);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

int work(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: open-smtpd (qmail-start starts it)");
    const auto home = control::Home::from_environment();
    allow_many_descriptors();
    control::become(control::Owners::read(home), control::Role::qmailo);
    opensmtp::Moment::now();  // the boot id is not to be had later
    control::enter(control::open_smtpd_cage, home);
    EventLoop loop;
    loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    const opensmtp::OpenSmtpServer server(loop, start::listening("open-smtp"), home);
    loop.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("open-smtpd", argc, argv, work);
}
