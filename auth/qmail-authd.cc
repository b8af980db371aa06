// qmail-authd: the one process that knows passwords. Login programs (checkpassword) and qmail-smtpd's AUTH
// ask it.
//
//   qmail-authd [--system] [--pam-directory DIR]      started by qmail-start, listening sockets: auth on 3, auth-smtp on 4
//
// Trust: root (or the instance's one user), for users/passwd.cdb and PAM need it; it opens only that,
// users/networks and control/, has no network and runs no program itself. Who may connect is decided by the
// sockets (mode 0600: auth is root's, auth-smtp is qmaild's and learns the account's name alone); what is in
// a request came from the network and is hostile. Hashes are checked by children that run as qmailp and may
// do nothing at all; PAM, a password program (control/authprogram), Dovecot (control/authdovecot) and a
// validator of tokens (control/authbearer, as qmailp) are asked by a child of its own for each login. Where
// no foreign code is asked it is confined. Passwords lie in locked memory and are wiped; the process cannot
// be traced or dumped.
//
// Reads control/authtrusted whenever that has changed, control/authcache, authprogram, authdovecot,
// authbearer, authsystem (or --system: the service "relais"), defaultdomain and me when it starts, and
// users/passwd.cdb whenever that has changed. Exit codes: 100 wrong usage or configuration, 111 anything
// else. It never ends by itself.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <optional>

#include "auth/passwd_file.h"
#include "auth/server.h"
#include "base/error.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "start/daemons.h"

namespace {

using namespace relais;

constexpr std::size_t waiting_hashes = 1000;

auth::ServerSettings settings_of(const control::Home& home, const Arguments& arguments) {
    auth::ServerSettings settings;
    settings.default_domain = auth::default_domain(home);
    settings.cache_lifetime = control::read<"authcache">(home);
    settings.pam.service = control::read<"authsystem">(home);
    settings.program = auth::parse_program(control::read<"authprogram">(home));
    settings.validator = auth::parse_program(control::read<"authbearer">(home));
    settings.dovecot = control::read<"authdovecot">(home);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--system")
            settings.pam.service = "relais";
        else if (arguments[i] == "--pam-directory" && i + 1 < arguments.size())
            settings.pam.directory = arguments[++i];
        else
            throw_permanent("usage: qmail-authd [--system] [--pam-directory DIR]");
    }
    return settings;
}

// One for each core that this process may use.
std::size_t worker_count() {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 2;
    return static_cast<std::size_t>(std::clamp(CPU_COUNT(&cores), 1, 16));
}

void become_worker(const control::Owners& owners) {
    try {
        control::become(owners, control::Role::qmailp);
        control::enter(control::hash_cage, control::Home::from_environment());
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + error.what());
        ::_exit(111);
    }
}

// A validator needs no more than the network.
void become_validator(const control::Owners& owners) {
    try {
        control::become(owners, control::Role::qmailp);
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + error.what());
        ::_exit(111);
    }
}

auth::FamiliarNetworks familiar_networks(const control::Home& home) {
    try {
        return auth::FamiliarNetworks::in_file(home.path("users/networks"));
    } catch (const Error& error) {
        log_line(std::string("warning: from where accounts have logged in is forgotten at the next start: ") +
                 error.what());
        return auth::FamiliarNetworks::in_memory();
    }
}

void raise_descriptor_limit(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw_errno("read", "the limit of descriptors");
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const Arguments& arguments) {
    const control::Home home = control::Home::from_environment();
    const control::Owners owners = control::Owners::read(home);
    const auth::ServerSettings settings = settings_of(home, arguments);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    raise_descriptor_limit(settings.clients + 100);
    EventLoop loop;
    // Before the first child: one that dies at once must be noticed.
    std::optional<auth::HashPool> hashes;
    loop.on_signal(SIGCHLD, [&hashes] {
        for (pid_t pid = 0; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0;) hashes->ended(pid);
    });
    hashes.emplace(loop, worker_count(), waiting_hashes, [&owners] { become_worker(owners); });
    auth::Server server(loop, {start::listening("auth"), start::listening("auth-smtp")}, home, settings,
                        *hashes, familiar_networks(home), [&owners] { become_validator(owners); });
    if (settings.pam.service.empty() && settings.program.words.empty() && settings.validator.words.empty())
        control::enter(settings.dovecot.empty() ? control::authd_cage : control::authd_dovecot_cage, home);
    loop.run();
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-authd", argc, argv, serve);
}
