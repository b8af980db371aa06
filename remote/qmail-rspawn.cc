// qmail-rspawn: gives qmail-send's orders to a pool of qmail-remote processes.
//
// Started by qmail-start with its channel to qmail-send and the socket where another qmail-send asks for what
// is under way once the first has gone (start/descriptors.h, send/spawner_line.h). It opens the tables of
// hosts that time out and of what is known of servers, becomes qmailr for good and confines itself and with
// it all the processes it forks: they connect to anywhere, parse what servers say, and may read control/ and
// ask qmail-resolver, but write no file, run no program. It trusts qmail-send's orders
// (send/delivery_protocol.h) and a process only to answer the one order it has.
//
// Exit codes: 0 when it has retired and the last delivery has ended and been taken note of; 100 wrong
// configuration; 111 anything else.

#include <cstdint>

#include "base/error.h"
#include "base/fd.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/directory_watch.h"
#include "control/owners.h"
#include "remote/pool.h"
#include "start/descriptors.h"

namespace {

using namespace relais;

int serve(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-rspawn (started by qmail-start)");
    const control::Home home = control::Home::from_environment();
    const control::Owners owners = control::Owners::read(home);
    const control::Owner owner = owners.of(control::Role::qmailr);
    remote::TimeoutTable timeouts = remote::TimeoutTable::open(home);
    timeouts.give_to(owner.uid, owner.gid);
    remote::ServerMemory servers = remote::ServerMemory::open(home);
    servers.give_to(owner.uid, owner.gid);
    raise_descriptor_limit(SIZE_MAX);  // one for each process of the pool
    control::become(owners, control::Role::qmailr);
    control::DirectoryWatch directory({home.path("control")});
    control::enter(control::rspawn_cage, home);
    remote::Pool(home, std::move(timeouts), std::move(servers), directory, Fd(start::spawner_channel),
                 Fd(start::spawner_heirs))
        .run();
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-rspawn", argc, argv, serve);
}
