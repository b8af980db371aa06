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
#include "base/error.h"
#include "base/program.h"
#include "pop3/mailbox.h"

namespace {

using namespace relais;

int serve(const Arguments& arguments) {
    const std::string directory = environment("MAILDIR", arguments.empty() ? "" : arguments[0]);
    if (arguments.size() > 1 || directory.empty()) throw_permanent("usage: qmail-pop3d MAILDIR");
    pop3::serve_mailbox(control::Home::from_environment(), directory);
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-pop3d", argc, argv, serve);
}
