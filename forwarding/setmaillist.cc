// setmaillist BIN TMP makes a mailing list for fastforward's tables from the lines on standard input: an
// address or the name of another list each.
//
// Run by whoever may write there. Exit codes: 0; 100 wrong usage; 111 a line that cannot be, or something
// cannot be read or written. Whatever goes wrong leaves the old list.
#include "base/error.h"
#include "base/program.h"
#include "forwarding/files.h"
#include "forwarding/table.h"

int main(int argc, char** argv) {
    using namespace relais;
    return run_program("setmaillist", argc, argv, [](const Arguments& arguments) {
        if (arguments.size() < 2) throw_permanent("usage: setmaillist list.bin list.tmp");
        const std::string list = forwarding::parse_list(forwarding::read_input());
        forwarding::write_list(arguments[0], arguments[1], list);
        return static_cast<int>(Exit::success);
    });
}
