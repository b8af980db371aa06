// qmail-popd: a POP3 server with a listener of its own, in place of the chain of tcpserver, qmail-popup,
// checkpassword and qmail-pop3d. No program is executed for a client.
//
//   qmail-popd [--tls] -l ADDRESS:PORT [-l ADDRESS:PORT]... [-c CONNECTIONS] [--per-ip CONNECTIONS]
//
// Trust: runs as root, for it must be able to become any user, and reads nothing from a client. Each client
// gets a process, which makes a confined child as qmaild (dialogue.h). The child hears name and secret,
// qmail-authd judges them, and the process becomes the account's user for good and confines itself before it
// reads the first octet. Ids and home come from users/passwd.cdb or the system's users, as for checkpassword.
//
// With --tls the client speaks TLS from the first octet (port 995); without, STLS is offered where qmail-keyd
// has a certificate. Reads control/smtpgreeting (its first word is greeted with), timeoutpop3d, perip,
// authplain, authtrusted and stresstimeout for each client anew. open-smtpd, where there is one, hears of
// each login. Exit codes: 0 after SIGTERM; 100 wrong usage; 111 the system failed.
#include "base/error.h"
#include "base/program.h"
#include "control/home.h"
#include "listen/options.h"
#include "pop3/crowd.h"
#include "pop3/listener.h"

namespace {

using namespace relais;

int serve(const Arguments& arguments) {
    listen::Options options = listen::parse_options("qmail-popd", arguments);
    if (options.places.empty())
        throw_permanent("usage: qmail-popd [--tls] -l ADDRESS:PORT... [-c CONNECTIONS]");
    if (options.rules || !options.sockets.empty() || options.filters >= 0)
        throw_permanent("qmail-popd has no rules (-x): every address may log in");
    for (const listen::Options::Place& place : options.places)
        if (place.proxied) throw_permanent("qmail-popd takes no clients from proxies (--proxy)");
    pop3::run_listener(control::Home::from_environment(), options);
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-popd", argc, argv, serve);
}
