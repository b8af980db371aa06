// qmail-keyd: the one process that holds private keys: of our certificates, of session tickets, and of what
// signs mail (DKIM).
//
//   qmail-keyd mail   started by qmail-start: start/descriptors.h has its descriptors. An older qmail-start gives
//                     no "mail", and only sockets/keys: then no mail is signed
//
// Two halves. The first is root (or the instance's one user), opens control/servercert.pem, servercert.key
// and servercerts/*, sees when they change, passes their descriptors on, and reads none of them; it speaks
// with nobody else. The second is qmailk, may open nothing, reads what it is given, and answers the processes
// that serve TLS (keyd/protocol.h): what they ask is hostile, for they speak with the network. Who may
// connect is decided by the socket and checked again. Keys lie in locked memory and are wiped; no process of
// another kind can trace or dump this one.
//
// Reads control/owners and tlsticketlifetime when it starts. When one half ends, so does the other. Exit
// codes: 100 wrong configuration, 111 anything else. It never ends by itself.
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/privilege.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "keyd/files.h"
#include "keyd/mail_token.h"
#include "keyd/server.h"
#include "start/daemons.h"

namespace {

using namespace relais;

// Several files are often replaced one after the other.
constexpr std::chrono::milliseconds settling{20};
// For changes that no directory tells of.
constexpr std::chrono::seconds sweep{60};

constexpr int token_secret = start::descriptor_of("qmail-keyd", start::Given::token_secret);

int serve(const control::Home& home, const control::Owners& owners, std::chrono::seconds lifetime, int files,
          bool signs_mail) {
    keyd::prepare_locked_memory();
    control::become(owners, control::Role::qmailk);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    EventLoop loop;
    loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    keyd::TicketKeys tickets(lifetime, Clock::now());
    const uid_t own = owners.single() ? ::geteuid() : 0;
    keyd::Server::Settings settings{
        .tls = {start::listening("keys"), {owners.of(control::Role::qmaild).uid, own}}};
    if (signs_mail) {
        settings.mail = {start::listening("signing"), {owners.of(control::Role::qmailr).uid, own}};
        settings.token_secret = keyd::read_token_secret(token_secret);
        ::close(token_secret);
    }
    keyd::Server server(loop, files, tickets, std::move(settings),
                        [](const std::string& line) { log_line(line); });
    control::enter(control::keyd_cage, home);
    loop.run();
    return static_cast<int>(Exit::success);
}

void send_all(keyd::FileWatch& watch, int to) {
    for (const std::string& name : watch.names()) {
        const Fd fd = watch.open(name);
        if (fd && !keyd::send_file(to, name, fd.get()))
            throw_errno("send a file to", "qmail-keyd's other half", EPIPE);
    }
    if (!keyd::send_file(to, "", -1)) throw_errno("send a file to", "qmail-keyd's other half", EPIPE);
}

// Until the other half ends, or SIGTERM, which ends this one as it would any process.
int look_after(const control::Home& home, int other_half) {
    keyd::FileWatch watch(home);
    control::enter(control::keyd_files_cage, home);
    for (;;) {
        watch.refresh();
        if (watch.changed()) send_all(watch, other_half);
        pollfd entries[] = {{watch.fd(), POLLIN, 0}, {other_half, POLLIN, 0}};
        if (::poll(entries, 2, Deadline::in(sweep).milliseconds()) <= 0) continue;
        if (entries[1].revents != 0) {
            int status = 0;
            if (::waitpid(-1, &status, WNOHANG) > 0 && WIFSIGNALED(status))
                log_line("alert: the half that signs was killed by signal " +
                         std::to_string(WTERMSIG(status)));
            return static_cast<int>(Exit::temporary);
        }
        ::poll(nullptr, 0, Deadline::in(settling).milliseconds());
    }
}

int work(const Arguments& arguments) {
    const bool signs_mail = arguments == Arguments{std::string(start::daemon_named("qmail-keyd").argument)};
    if (!arguments.empty() && !signs_mail) throw_permanent("usage: qmail-keyd [mail]");
    const control::Home home = control::Home::from_environment();
    const control::Owners owners = control::Owners::read(home);
    const auto lifetime = control::read<"tlsticketlifetime">(home);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    auto [ours, theirs] = make_packet_pair();
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw_errno("fork", "qmail-keyd's other half");
    if (child == 0) {
        ours.reset();
        if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || ::getppid() != parent)
            return static_cast<int>(Exit::temporary);
        return serve(home, owners, lifetime, theirs.get(), signs_mail);
    }
    theirs.reset();
    ::close(start::listening("keys"));
    if (signs_mail) {
        ::close(start::listening("signing"));
        ::close(token_secret);
    }
    return look_after(home, ours.get());
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-keyd", argc, argv, work);
}
