// qmail-getpw LOCAL: which user gets mail for an address that users/assign does not name.
//
// Prints six fields, each ended by a NUL: user name, uid, gid, home directory, dash, extension. The user is
// the longest part of the address before a dash that names one of the system's users with a uid other than 0
// and a home directory of his own, else alias. For scripts and by hand; qmail-lspawn asks the same code in a
// process of its own. Trust: may run as anybody; LOCAL is hostile. Reads control/owners and the system's user
// data base. Exit codes: 0; 100 wrong usage; 111 the answer cannot be had now.
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "local/lookup.h"
#include "local/lookup_server.h"
#include "local/user_database.h"

int main(int argc, char** argv) {
    using namespace relais;
    return run_program("qmail-getpw", argc, argv, [](const Arguments& arguments) {
        const auto home = control::Home::from_environment();
        if (arguments == Arguments{"-s"}) return local::serve_lookups(home, local::lookup_socket);
        if (arguments.size() != 1) throw_permanent("usage: qmail-getpw local");
        const local::UserFinder finder(home);
        write_all(STDOUT_FILENO, encode_user(finder.find_without_assign(arguments[0])), Deadline::never());
        return static_cast<int>(Exit::success);
    });
}
