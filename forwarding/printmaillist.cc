// printmaillist prints the mailing list on standard input as setmaillist reads it.
//
// Run by anybody. Exit codes: 0; 100 bad mailing list format; 111 it cannot be read.
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "forwarding/files.h"
#include "forwarding/table.h"

int main(int argc, char** argv) {
    using namespace relais;
    return run_program("printmaillist", argc, argv, [](const Arguments& arguments) {
        if (!arguments.empty()) throw_permanent("usage: printmaillist, the list on standard input");
        write_all(STDOUT_FILENO, forwarding::print_list(forwarding::read_input()), Deadline::never());
        return static_cast<int>(Exit::success);
    });
}
