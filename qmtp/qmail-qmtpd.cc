// qmail-qmtpd takes mail by QMTP from the client on descriptors 0 and 1 and hands it to the queue. tcpserver
// starts it on port 209.
//
// Trust: everything that comes from the client is hostile. Who may send where is said as to qmail-smtpd, by
// the same code: rcpthosts, RELAYCLIENT, badmailfrom, recipientcheck; databytes and DATABYTES, maxrcpt. It
// runs as qmaild, writes nothing, and reaches the queue by the socket queue-network alone. Inputs: the
// client, $TCP*, those files of control/.
//
// Exit codes: 0 the client has no more, or has gone; 100 it does not speak QMTP; 111 it was silent, or
// something cannot be read.
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"
#include "qmtp/qmtp_session.h"
#include "qmtp/serve.h"

namespace {

using namespace relais;

void serve(const control::Home& home, const smtpd::Settings& settings, const policy::Client& client,
           const qmtp::OpenSink& open_sink) {
    policy::Policy rules(home);
    policy::Chain chain(rules, settings, client);
    qmtp::Terms terms;
    terms.timeout = settings.timeout;
    terms.databytes = client.databytes.value_or(settings.databytes);
    terms.recipient_limit = settings.recipient_limit;
    Reader in(STDIN_FILENO);
    qmtp::serve_qmtp(
        in, STDOUT_FILENO, client, terms,
        [&](std::string_view sender, std::string_view recipient) {
            chain.heard_mail(sender);
            return chain.judge(recipient);
        },
        open_sink, [](std::string_view line) { log_line(line); });
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-qmtpd", argc, argv, [](const Arguments& arguments) {
        if (!arguments.empty()) throw_permanent("usage: qmail-qmtpd, under tcpserver");
        const auto home = control::Home::from_environment();
        return qmtp::serve_client(home, [&](const auto& settings, const auto& client, const auto& open_sink) {
            serve(home, settings, client, open_sink);
        });
    });
}
