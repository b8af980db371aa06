// open-smtp-channel PROGRAM [ARGUMENT...]: the step of a login chain before the password program. It opens a
// channel to open-smtpd for this client's address alone and leaves it to open-smtp-allow, as the descriptor
// that OPENSMTPFD names.
//
//   tcpserver 0 110 qmail-popup HOST open-smtp-channel checkpassword open-smtp-allow qmail-pop3d Maildir
//
// Trust: it runs as root (or as the one user of a user instance), for nobody else may connect to open-smtpd,
// and trusts TCPREMOTEIP as tcpserver set it. It reads nothing from the client. $OPENSMTPSERVICE (default
// pop3) names the service. Without open-smtpd it logs that and goes on: a login must not depend on it.
// Descriptor 3 is the password program's and stays what it was. Exit codes: those of PROGRAM; 100 wrong
// usage; 111 PROGRAM cannot be run.
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"
#include "opensmtp/chain.h"
#include "opensmtp/protocol.h"

using namespace relais;

namespace {

// Beyond what chains use for themselves.
constexpr int lowest_descriptor = 10;

void open_channel() {
    const std::string address = opensmtp::client_address();
    opensmtp::OpenSmtpClient client(control::Home::from_environment(), Deadline::in(Seconds(5)));
    const opensmtp::Answer answer = client.ask({.verb = opensmtp::Verb::channel,
                                                .address = address,
                                                .user = "",
                                                .service = environment("OPENSMTPSERVICE", "pop3")},
                                               Deadline::in(Seconds(5)));
    if (!answer.ok) throw_permanent(answer.text);
    const int kept = ::fcntl(client.fd(), F_DUPFD, lowest_descriptor);
    if (kept < 0) throw_errno("duplicate", "the channel");
    ::setenv(opensmtp::channel_variable, std::to_string(kept).c_str(), 1);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("open-smtp-channel", argc, argv, [](const Arguments& arguments) -> int {
        if (arguments.empty()) throw_permanent("usage: open-smtp-channel PROGRAM [ARGUMENT...]");
        ::unsetenv(opensmtp::channel_variable);
        try {
            open_channel();
        } catch (const Error& error) {
            log_line(std::string("this login will not open SMTP: ") + error.what());
        }
        opensmtp::run_next(arguments);
    });
}
