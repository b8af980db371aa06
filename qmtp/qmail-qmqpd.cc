// qmail-qmqpd takes one message by QMQP from the client on descriptors 0 and 1, for any recipients, and hands
// it to the queue. tcpserver starts it on port 628, with rules that let in nobody but the hosts whose queue
// this is.
//
// Trust: the rules of tcpserver decide who may connect, and whoever may can send to everybody; what comes
// from the client is hostile all the same. It runs as qmaild, writes nothing, and reaches the queue by the
// socket queue-network alone. Inputs: the client, $TCP*, DATABYTES; control/timeoutsmtpd.
//
// Exit codes: 0 answered, or the client has gone; 100 it does not speak QMQP; 111 it was silent, or something
// cannot be read.
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"
#include "qmtp/qmqp_session.h"
#include "qmtp/serve.h"

using namespace relais;

int main(int argc, char** argv) {
    return run_program("qmail-qmqpd", argc, argv, [](const Arguments& arguments) {
        if (!arguments.empty()) throw_permanent("usage: qmail-qmqpd, under tcpserver");
        const auto home = control::Home::from_environment();
        return qmtp::serve_client(home, [](const auto& settings, const auto& client, const auto& open_sink) {
            Reader in(STDIN_FILENO);
            qmtp::serve_qmqp(in, STDOUT_FILENO, client, client.databytes.value_or(0), settings.timeout,
                             open_sink);
        });
    });
}
