// printforward prints the table on standard input as setforward reads it.
//
// Run by anybody. Exit codes: 0; 100 bad database format; 111 it cannot be read.
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "forwarding/files.h"
#include "forwarding/table.h"

int main(int argc, char** argv) {
    using namespace relais;
    return run_program("printforward", argc, argv, [](const Arguments& arguments) {
        if (!arguments.empty()) throw_permanent("usage: printforward, the table on standard input");
        std::string text;
        forwarding::cdb_of_input().for_each([&](std::string_view key, std::string_view data) {
            text += forwarding::print_record({std::string(key), std::string(data)});
        });
        write_all(STDOUT_FILENO, text, Deadline::never());
        return static_cast<int>(Exit::success);
    });
}
