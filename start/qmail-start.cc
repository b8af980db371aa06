// qmail-start [defaultdelivery [logger argument...]]: makes the sockets, pipes and channels of an instance,
// starts its programs and starts them again when they end. It is what supervise runs.
//
// Trust: in a system instance it is root and stays root, refuses a directory in which somebody else could say
// what it does (control/enter.h), reads control/owners and control/defaultdelivery, and parses nothing else;
// each program gets its user, exactly the descriptors of start/descriptors.h, and no others. In a user
// instance it is that user, who may not be root. defaultdelivery (default: control/defaultdelivery, else
// ./Maildir/) goes to qmail-lspawn. With a logger everything is written to a pipe that the logger, run as
// qmaill, reads on its descriptor 0. SIGTERM ends everything in order, but for deliveries that take longer:
// these go on without it (start/succession.h). SIGHUP and SIGALRM go to qmail-send. Exit codes: 0 after
// SIGTERM, 100 wrong owners or user, 111 temporary.
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <climits>

#include "base/error.h"
#include "base/file.h"
#include "base/landlock.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "control/enter.h"
#include "control/home.h"
#include "control/owners.h"
#include "control/sockets.h"
#include "queue/store.h"
#include "send/default_delivery.h"
#include "start/descriptors.h"
#include "start/succession.h"
#include "start/supervisor.h"

namespace {

using namespace relais;
using control::Home;
using control::Owners;
using control::Role;
using start::Program;

constexpr uid_t same_uid = static_cast<uid_t>(-1);
constexpr gid_t same_gid = static_cast<gid_t>(-1);
constexpr int hint_pipe_size = 1 << 20;

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

// One qmail-start at a time has the sockets.
Fd lock_sockets(const Home& home) {
    const std::string directory = home.path("sockets");
    Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open", directory);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        throw_errno("lock (is another qmail-start running?)", directory);
    return fd;
}

std::optional<Fd> take_instance_lock(const Home& home) {
    Fd fd = queue::open_send_lock(home);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK) throw_errno("lock", queue::send_lock_path(home));
    return std::nullopt;
}

Pipe make_hint_pipe() {
    Pipe pipe = make_pipe();
    ::fcntl(pipe.write.get(), F_SETPIPE_SZ, hint_pipe_size);  // a smaller one only means more scans
    return pipe;
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
    const Fd socket_lock = lock_sockets(home);
    start::ask_for_handover(home);

    const auto owner = [&](Role role) {
        return owners.single() ? std::nullopt : std::optional(owners.of(role));
    };
    const auto path = [&](const char* name) { return home.program(name); };
    const auto listening = [&](std::string_view name) {
        const auto& row = *std::find_if(control::sockets.begin(), control::sockets.end(),
                                        [&](const control::Socket& each) { return each.name == name; });
        const auto who = row.client ? owner(*row.client) : std::nullopt;
        return listen_unix(home.socket(name), row.mode, who ? who->uid : same_uid, who ? who->gid : same_gid);
    };
    const Fd network = listening("queue-network");
    const Fd bounce = listening("queue-bounce");
    const Fd submit = listening("queue-submit");
    const Fd resolver = listening("resolver");
    const Fd control = listening("send-control");
    const Fd open_smtp = listening("open-smtp");
    const Fd auth = listening("auth");
    const Fd auth_smtp = listening("auth-smtp");
    const Fd keys = listening("keys");
    const Fd recipients = listening("recipients");
    const Pipe hints = make_hint_pipe();
    const Pipe log = make_pipe();
    const Fd old_log = arguments.size() > 1 ? write_log_to(log) : Fd();

    // Programs that live on when qmail-send does not.
    std::vector<Program> services = {
        {.path = path("qmail-queued"),
         .owner = owner(Role::qmailq),
         .descriptors = {network.get(), bounce.get(), submit.get(), hints.write.get()},
         .ends_with_parent = true},
        {.path = path("qmail-resolver"),
         .owner = owner(Role::qmailn),
         .descriptors = {resolver.get()},
         .ends_with_parent = true},
        {.path = path("open-smtpd"),
         .owner = owner(Role::qmailo),
         .descriptors = {open_smtp.get()},
         .ends_with_parent = true},
        {.path = path("qmail-authd"), .descriptors = {auth.get(), auth_smtp.get()}, .ends_with_parent = true},
        {.path = path("qmail-keyd"), .descriptors = {keys.get()}, .ends_with_parent = true},
        {.path = path("qmail-rcptd"), .descriptors = {recipients.get()}, .ends_with_parent = true},
    };
    if (arguments.size() > 1)
        services.push_back({.path = arguments[1],
                            .arguments = Arguments(arguments.begin() + 2, arguments.end()),
                            .owner = owner(Role::qmaill),
                            .input = log.read.get(),
                            .output = old_log.get()});

    // Programs that start together, beside what spawners of before still have.
    const auto generation = [&](Fd lock, std::vector<Fd>& ours) {
        start::RetiredSpawners retired = start::connect_to_spawners(home);
        Fd local_heirs = start::listen_for_heirs(home, 'l');
        Fd remote_heirs = start::listen_for_heirs(home, 'r');
        auto [send_local, lspawn] = make_packet_pair();
        auto [send_remote, rspawn] = make_packet_pair();
        std::vector<Program> programs = {
            {.path = path("qmail-send"),
             .owner = owner(Role::qmails),
             .descriptors = {hints.read.get(), send_local.get(), send_remote.get(), lock.get(),
                             control.get()},
             .ends_with_parent = true,
             .takes_signals = true},
            {.path = path("qmail-lspawn"),
             .arguments = {delivery},
             .descriptors = {lspawn.get(), local_heirs.get()}},
            {.path = path("qmail-rspawn"),
             .owner = owner(Role::qmailr),
             .descriptors = {rspawn.get(), remote_heirs.get()}},
        };
        if (!retired.letters.empty()) programs[0].arguments = {retired.letters};
        for (Fd& channel : retired.channels) {
            programs[0].descriptors.push_back(channel.get());
            ours.push_back(std::move(channel));
        }
        for (Fd* fd : {&send_local, &send_remote, &lspawn, &rspawn, &lock, &local_heirs, &remote_heirs})
            ours.push_back(std::move(*fd));
        return programs;
    };
    start::Supervisor(
        std::move(services), [&] { return take_instance_lock(home); }, generation)
        .run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-start", argc, argv, work);
}
