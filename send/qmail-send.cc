// qmail-send: decides which message of the queue is tried when, gives orders to qmail-lspawn and qmail-rspawn, marks what
// they report, bounces what failed, removes what is done, and writes the log.
//
// Started by qmail-start as qmails, with the descriptors of send/layout.h. No network, no user's code. It trusts
// qmail-queued's files as far as their checksums, a spawner's report about deliveries that run there, and those who
// can open sockets/send-control with everything. Two children wait for the disk and for qmail-queued (send/slow_work.h).
// SIGHUP: reread control files; SIGALRM: try everything now; SIGTERM: exit when the running deliveries have ended.
// Exit codes: 0 after SIGTERM, 111 when a spawner has ended or for temporary failures, 100 wrong owners or control files.
#include "base/error.h"
#include "base/privilege.h"
#include "base/program.h"
#include "control/home.h"
#include "control/owners.h"
#include "send/daemon.h"
#include "send/layout.h"

namespace {

using namespace relais;
using control::Home;

// The queue to work on, control files to read, qmail-queued to talk to; nothing else.
void confine_in(const Home& home) {
    Confinement allowed;
    allowed.open_files = true;
    allowed.change_files = true;
    allowed.local_sockets = true;
    allowed.read_below = {home.path("control")};
    allowed.write_below = {home.path("queue")};
    confine(allowed);
}

int work(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-send (started by qmail-start)");
    const Home home = Home::from_environment();
    control::become(control::Owners::read(home), control::Role::qmails);

    const std::vector<int> channels = {send::send_hint_pipe, send::send_local_channel,
                                       send::send_remote_channel, send::send_control_socket};
    const auto confine_child = [&] { confine_in(home); };
    send::SlowWorker recorder("qmail-send-recorder", channels, confine_child, send::record_work(home));
    send::SlowWorker bouncer("qmail-send-bouncer", channels, confine_child, send::bounce_work(home));
    confine_in(home);
    return send::Daemon(home, recorder, bouncer).run();
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-send", argc, argv, work);
}
