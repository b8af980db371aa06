#include "pop3/dialogue.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/error.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "control/cages.h"
#include "control/owners.h"
#include "keyd/server_tls.h"
#include "pop3/login.h"
#include "pop3/tls_child.h"

namespace relais::pop3 {
namespace {

constexpr int channel = 3;

bool is_record(std::string_view record) {
    return std::count(record.begin(), record.end(), '\0') == 2 && record.ends_with('\0');
}

bool can_start(keyd::ServerTls& tls) {
    try {
        tls.prepare();
        return true;
    } catch (const Error& error) {
        log_line("STLS is refused: " + std::string(error.what()));
        return false;
    }
}

// Nothing of root's but the client and the channel.
void settle(const control::Home& home, int theirs, pid_t parent) {
    set_process_title("qmail-popup", {"dialogue"});
    if ((theirs != channel && ::dup2(theirs, channel) < 0) || ::close_range(channel + 1, ~0U, 0) != 0)
        throw_errno("place", "a descriptor");
    set_close_on_exec(channel, true);
    if (::geteuid() == 0) control::become(control::Owners::read(home), control::Role::qmaild);
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent)
        throw Error(Reaction::temporary, "qmail-popup has gone");
    control::enter(control::dialogue_cage, home);
}

int speak(const control::Home& home, const DialogueSettings& settings) {
    Login login(STDIN_FILENO, STDOUT_FILENO, settings.host, settings.challenge, settings.apop,
                settings.timeout);
    if (!settings.passwords) login.refuse_passwords();
    if (settings.utf8) login.offer_utf8();
    keyd::ServerTls tls(home);
    tls.set_log([](const std::string& trouble) { log_line("TLS is not offered: " + trouble); });
    if (settings.tls_first) {
        put_tls_before_client(home, tls);
        login.set_encrypted();
    } else if (tls.offered()) {
        login.offer_tls([&tls] { return can_start(tls); }, [&] { put_tls_before_client(home, tls); });
    }
    auto credentials = login.run();
    if (!credentials) return 0;
    std::string record = credentials->user;
    record.append(1, '\0').append(credentials->secret).append(1, '\0');
    // A NUL within a field would shift the others.
    if (record.size() + settings.challenge.size() + 1 > credentials_limit || !is_record(record)) {
        login.say("-ERR [AUTH] authorization failed");
        log_line("refused " + safe_for_log(credentials->user.substr(0, 128)) + " from " +
                 safe_for_log(environment("TCPREMOTEIP", "unknown")) +
                 ": name or password too long, or with a NUL in it");
        return 1;
    }
    return send_packet(channel, record, login.encrypted() ? STDIN_FILENO : -1)
               ? 0
               : static_cast<int>(Exit::temporary);
}

[[noreturn]] void run_child(const control::Home& home, const DialogueSettings& settings, int theirs,
                            pid_t parent) {
    try {
        settle(home, theirs, parent);
        ::_exit(speak(home, settings));
    } catch (const Error& error) {
        // A client that only closes is none of our troubles.
        if (error.number() != ECONNRESET && error.number() != EPIPE)
            log_line(std::string("fatal: ") + error.what());
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + error.what());
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

}  // namespace

Dialogue hold_dialogue(const control::Home& home, const DialogueSettings& settings) {
    auto [ours, theirs] = make_packet_pair();
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork for", "a client");
    if (pid == 0) run_child(home, settings, theirs.get(), parent);
    theirs.reset();
    Dialogue dialogue;
    auto packet = receive_packet(ours.get(), credentials_limit);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) throw_errno("wait for", "a child");
    dialogue.status = WIFEXITED(status) ? WEXITSTATUS(status) : static_cast<int>(Exit::temporary);
    if (WIFSIGNALED(status)) log_line("alert: the child that speaks with a client crashed");
    if (!packet) return dialogue;
    if (!is_record(packet->data) || packet->data.size() + settings.challenge.size() + 1 > credentials_limit)
        throw Error(Reaction::temporary, "the child that speaks with a client gave a record of another form");
    if (packet->passed &&
        (::dup2(packet->passed.get(), STDIN_FILENO) < 0 || ::dup2(packet->passed.get(), STDOUT_FILENO) < 0))
        throw_errno("move", "a socket");
    dialogue.named = std::move(packet->data);
    return dialogue;
}

}  // namespace relais::pop3
