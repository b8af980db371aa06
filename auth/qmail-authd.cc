// qmail-authd: the one process that knows passwords. Login programs (checkpassword) and qmail-smtpd's AUTH
// ask it.
//
//   qmail-authd [--system] [--pam-directory DIR]      started by qmail-start, listening sockets: auth on 3, auth-smtp on 4
//
// Two halves. The one that speaks with login programs is qmaila, confined, may read users/passwd.cdb, writes
// users/networks (opened before), has no network and runs no program. Who may connect is decided by the
// sockets (mode 0600: auth is root's, auth-smtp is qmaild's and learns the account's name alone); what is in
// a request came from the network and is hostile. The other half stays root (or the instance's one user) and
// forks: checks of hashes, which run as qmailh and may do nothing at all; for each login that users/passwd
// does not know a process that asks PAM, a password program (control/authprogram), Dovecot
// (control/authdovecot) or, as qmailv, a validator of tokens (control/authbearer). It reads records of one
// size from the first half and nothing else (auth/question.h). When one half ends, so does the other.
// Passwords lie in locked memory and are wiped; no half can be traced or dumped.
//
// An instance whose control/owners is older has one of these roles or none: then the first half stays root,
// and the rest is qmailp.
//
// Reads control/authtrusted whenever that has changed, control/authcache, authprogram, authdovecot,
// authbearer, authsystem (or --system: the service "relais"), defaultdomain and me when it starts, and
// users/passwd.cdb whenever that has changed. Exit codes: 100 wrong usage or configuration, 111 anything
// else. It never ends by itself.
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "auth/passwd_file.h"
#include "auth/server.h"
#include "auth/starter.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "metrics/count.h"
#include "start/daemons.h"

namespace {

using namespace relais;

constexpr std::size_t waiting_hashes = 1000;

auth::ServerSettings settings_of(const control::Home& home, const Arguments& arguments) {
    auth::ServerSettings settings;
    settings.default_domain = auth::default_domain(home);
    settings.cache_lifetime = control::read<"authcache">(home);
    auth::HelperSettings& helpers = settings.helpers;
    helpers.pam.service = control::read<"authsystem">(home);
    helpers.program = auth::parse_program(control::read<"authprogram">(home));
    helpers.validator = auth::parse_program(control::read<"authbearer">(home));
    helpers.dovecot = control::read<"authdovecot">(home);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--system")
            helpers.pam.service = "relais";
        else if (arguments[i] == "--pam-directory" && i + 1 < arguments.size())
            helpers.pam.directory = arguments[++i];
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

auth::FamiliarNetworks familiar_networks(const control::Home& home) {
    try {
        return auth::FamiliarNetworks::in_file(home.path("users/networks"));
    } catch (const Error& error) {
        log_line(std::string("warning: from where accounts have logged in is forgotten at the next start: ") +
                 error.what());
        return auth::FamiliarNetworks::in_memory();
    }
}

int serve_clients(const control::Home& home, const control::Owners& owners,
                  const auth::ServerSettings& settings, auth::FamiliarNetworks networks, int starter) {
    control::become(owners, control::Role::qmaila);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    metrics::open_page(home, control::Role::qmaila);
    raise_descriptor_limit(settings.clients + 100);
    set_nonblocking(starter, true);
    EventLoop loop;
    loop.add(starter, 0, [&loop](std::uint32_t) { loop.stop(); });
    auth::HashPool hashes(loop, worker_count(), waiting_hashes, [starter](int channel) {
        return auth::start_helper(starter, {.helper = auth::Helper::hashes}, channel);
    });
    auth::Server server(loop, {start::listening("auth"), start::listening("auth-smtp")}, home, settings,
                        hashes, std::move(networks), starter);
    control::enter(control::authd_cage, home);
    loop.run();
    return static_cast<int>(Exit::temporary);  // the other half has gone
}

// PAM, programs and validators are foreign code; without them this half is confined too.
int start_others(const control::Home& home, const control::Owners& owners,
                 const auth::HelperSettings& settings, Fd channel) {
    EventLoop loop;
    auth::Starter starter(loop, std::move(channel), home, owners, settings);
    if (!settings.has(auth::Helper::pam) && !settings.has(auth::Helper::program) &&
        !settings.has(auth::Helper::validator))
        control::enter(
            settings.has(auth::Helper::dovecot) ? control::authd_dovecot_cage : control::authd_starter_cage,
            home);
    loop.run();
    return static_cast<int>(Exit::temporary);
}

int serve(const Arguments& arguments) {
    const control::Home home = control::Home::from_environment();
    const control::Owners owners = control::Owners::read(home);
    const auth::ServerSettings settings = settings_of(home, arguments);
    control::warn_of_missing(owners, {control::Role::qmaila, control::Role::qmailh, control::Role::qmailv});
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    auto [ours, theirs] = make_packet_pair();
    std::optional<auth::FamiliarNetworks> networks = familiar_networks(home);
    const pid_t child = ::fork();
    if (child < 0) throw_errno("fork", "qmail-authd's other half");
    if (child == 0) {
        ours.reset();
        return serve_clients(home, owners, settings, *std::move(networks), theirs.get());
    }
    theirs.reset();
    networks.reset();
    ::close(start::listening("auth"));
    ::close(start::listening("auth-smtp"));
    return start_others(home, owners, settings.helpers, std::move(ours));
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-authd", argc, argv, serve);
}
