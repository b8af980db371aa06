// qmail-start [defaultdelivery [logger argument...]]: makes the sockets, pipes and channels of an instance,
// starts its programs and starts them again when they end. It is what supervise runs.
//
// Trust: in a system instance it is root and stays root, refuses a directory in which somebody else could say
// what it does (control/enter.h), reads control/owners and control/defaultdelivery, and parses nothing else;
// each program gets its user and exactly the descriptors of its row in start/daemons.h. In a user
// instance it is that user, who may not be root. defaultdelivery (default: control/defaultdelivery, else
// ./Maildir/) goes to qmail-lspawn. With a logger everything is written to a pipe that the logger, run as
// qmaill, reads on its descriptor 0. SIGTERM ends everything in order, but for deliveries that take longer:
// these go on without it (start/succession.h). SIGHUP and SIGALRM go to qmail-send. Exit codes: 0 after
// SIGTERM, 100 wrong owners or user, 111 temporary.
#include <fcntl.h>

#include "base/error.h"
#include "base/landlock.h"
#include "base/program.h"
#include "control/enter.h"
#include "control/home.h"
#include "control/owners.h"
#include "send/default_delivery.h"
#include "start/succession.h"
#include "start/supervisor.h"
#include "start/wiring.h"

namespace {

using namespace relais;
using control::Home;
using control::Owners;
using control::Role;

void check_user(const Owners& owners) {
    const uid_t me = ::geteuid();
    if (!owners.single() && me != 0)
        throw_permanent("unable to start: this instance has several users, so it must be started by root");
    if (owners.single() && me == 0)
        throw_permanent(
            "unable to start: this instance belongs to one ordinary user, who must start it, not root");
    if (owners.single() && me != owners.of(Role::qmails).uid)
        throw_permanent("unable to start: this instance belongs to another user");
}

// What is missing of 0, 1 and 2 must not become a socket.
void fill_standard_descriptors() {
    while (true) {
        const int fd = ::open("/dev/null", O_RDWR);
        if (fd < 0) throw_errno("open", "/dev/null");
        if (fd <= STDERR_FILENO) continue;
        ::close(fd);
        return;
    }
}

// Everything this process and its children write goes to the pipe from now on. Returns what was standard
// error.
Fd write_log_to(const Pipe& pipe) {
    Fd before(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!before) throw_errno("duplicate", "standard error");
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO})
        if (::dup2(pipe.write.get(), fd) < 0) throw_errno("redirect", "the log");
    return before;
}

int work(const Arguments& arguments) {
    fill_standard_descriptors();
    const Home given = Home::from_environment();
    const Owners owners = Owners::read(given);
    check_user(owners);
    if (landlock_version() == 0)
        log_line(
            "warning: this kernel has no Landlock: which files the programs open is left to their users' "
            "rights alone");
    const Home home = owners.single() ? given : control::refuse_foreign(given);
    if (::chdir("/") != 0) throw_errno("change to", "/");
    const std::string delivery = arguments.empty() ? send::read_default_delivery(home) : arguments[0];
    const Fd socket_lock = start::lock_sockets(home);
    start::ask_for_handover(home);

    const start::Wiring wiring(home, owners, delivery);
    const Pipe log = make_pipe();
    const Fd old_log = arguments.size() > 1 ? write_log_to(log) : Fd();
    std::vector<start::Program> services = wiring.services();
    if (arguments.size() > 1)
        services.push_back({.path = arguments[1],
                            .arguments = Arguments(arguments.begin() + 2, arguments.end()),
                            .owner = wiring.owner(Role::qmaill),
                            .input = log.read.get(),
                            .output = old_log.get()});
    start::Supervisor(
        std::move(services), [&] { return start::take_instance_lock(home); },
        [&](Fd lock, std::vector<Fd>& ours) { return wiring.generation(std::move(lock), ours); })
        .run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-start", argc, argv, work);
}
