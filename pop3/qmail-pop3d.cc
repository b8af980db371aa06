// qmail-pop3d: lets a POP3 client read and delete the mail of a Maildir.
//
//   qmail-pop3d MAILDIR      last in the chain: tcpserver ... qmail-popup HOST checkpassword qmail-pop3d Maildir
//
// Trust: runs as the mailbox's user, whom the password program has made it, in that user's home; the client
// on descriptors 0 and 1 has logged in, and what it sends is hostile all the same. MAILDIR is relative to the
// home or absolute; $MAILDIR, which checkpassword sets for an account with a Maildir of its own and removes
// otherwise, goes before it. It is confined: no network, no other program. Messages are removed at QUIT only;
// a connection that breaks off has removed nothing. Reads control/timeoutpop3d. $USER and $TCPREMOTEIP go
// into the log line of the login.
//
// Exit codes: 0 whenever the client has been answered, also when the Maildir is missing; 100 wrong usage; 111
// the client is gone.
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "control/cages.h"
#include "pop3/session.h"
#include "pop3/settings.h"

namespace {

using namespace relais;

int refuse(const std::string& why, std::chrono::seconds timeout) {
    log_line("refused " + safe_for_log(environment("USER", "unknown")) + ": " + why);
    write_all(STDOUT_FILENO, "-ERR [SYS/PERM] this user has no mailbox that can be read\r\n",
              Deadline::in(timeout));
    return static_cast<int>(Exit::success);
}

int serve(const Arguments& arguments) {
    const std::string directory = environment("MAILDIR", arguments.empty() ? "" : arguments[0]);
    if (arguments.size() > 1 || directory.empty()) throw_permanent("usage: qmail-pop3d MAILDIR");
    const control::Home home = control::Home::from_environment();
    const auto timeout = pop3::session_timeout(home);
    control::enter(control::pop3d_cage, home, {directory});
    std::optional<pop3::Maildir> maildir;
    try {
        maildir.emplace(directory);
    } catch (const Error& error) {
        return refuse(error.what(), timeout);
    }
    log_line("login " + safe_for_log(environment("USER", "unknown")) + " from " +
             safe_for_log(environment("TCPREMOTEIP", "unknown")) + ": " +
             std::to_string(maildir->messages().size()) + " messages");
    pop3::Session(STDIN_FILENO, STDOUT_FILENO, *maildir, timeout).run();
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-pop3d", argc, argv, serve);
}
