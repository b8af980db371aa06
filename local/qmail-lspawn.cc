// qmail-lspawn DEFAULTDELIVERY: delivers locally, each message as its recipient.
//
// Started by qmail-start, with qmail-send's channel on fd 3 and on fd 4 the socket where another qmail-send
// asks for what is under way, once the first has gone (start/descriptors.h, send/spawner_line.h). For each
// order it asks its look-up child (qmail-getpw -s, qmailp) who the recipient is, forks, drops to that user in
// the fork, and does there what qmail-local does; then it reports. DEFAULTDELIVERY is used for users without
// instructions of their own. Trust: root in an instance of several users, and the only program that stays it.
// It parses nothing but fields of fixed size from qmail-send, numbers from the look-up, control/minimumuid
// and users/cdb, which it asks whether the look-up tells the truth; descriptors are checked for type, owner
// and access. It never delivers as root, as one of the mail system's own users or with their groups
// (local/delivery_refusal.h). It runs foreign code, so it is not confined. Exit codes: 0 it has retired and
// all deliveries have ended and been taken note of; 111 anything else.
#include "base/error.h"
#include "base/program.h"
#include "local/spawner.h"
#include "start/descriptors.h"

int main(int argc, char** argv) {
    using namespace relais;
    return run_program("qmail-lspawn", argc, argv, [](const Arguments& arguments) {
        if (arguments.size() != 1) throw_permanent("usage: qmail-lspawn defaultdelivery");
        local::Spawner spawner(control::Home::from_environment(), arguments[0], Fd(start::spawner_channel),
                               Fd(start::spawner_heirs));
        spawner.run();
        return static_cast<int>(Exit::success);
    });
}
