// qmail-smtpd: takes mail by SMTP and hands it to the queue.
//
//   qmail-smtpd                            serves one client on descriptors 0 and 1, as tcpserver starts it
//   qmail-smtpd -l ADDRESS:PORT... [...]   listens itself and forks a process for each client (listen/service.h)
//   with --tls                             speaks TLS from the first octet (port 465)
//
// Trust: everything that comes from the client is hostile. What it may do is said by control/ and by the
// variables that the rules for its address set (RELAYCLIENT, DATABYTES, FIXCRIO, REFUSENUL, QMAILQUEUE). It
// runs as qmaild, writes nothing, and reaches the queue by the socket queue-network alone. As the listener's
// child it is confined.
//
// Inputs: the client, $TCP*, the rules cdb, open-smtp, and those of control/ that "qmail-showctl" lists for
// smtpd. Exit codes: 0 the client was served, or SIGTERM ended the listener; 100 wrong usage; 111 it could
// not start.
#include <unistd.h>

#include "base/program.h"
#include "smtpd/listener.h"
#include "smtpd/serve.h"

using namespace relais;

int main(int argc, char** argv) {
    return run_program("qmail-smtpd", argc, argv, [](const Arguments& arguments) {
        const auto home = control::Home::from_environment();
        const listen::Options options = listen::parse_options("qmail-smtpd", arguments);
        if (options.places.empty()) {
            smtpd::serve_standalone(home, options.tls ? smtpd::Beginning::tls : smtpd::Beginning::greeting);
            return 0;
        }
        return smtpd::run_listener(home, options, arguments);
    });
}
