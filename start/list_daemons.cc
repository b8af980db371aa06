// list_daemons: the rows of start/daemons.h for the tests, as the table of docs/architecture.md.
// list_daemons sockets: the names of the sockets.
#include <unistd.h>

#include "base/deadline.h"
#include "base/io.h"
#include "base/program.h"
#include "start/daemons.h"

namespace {

using namespace relais;

int list(const Arguments& arguments) {
    const std::string what = arguments.empty() ? "" : arguments[0];
    std::string text;
    if (what == "sockets")
        start::for_each_socket([&](const start::Descriptor& each) { text += std::string(each.name) + "\n"; });
    else
        text = start::daemons_table();
    write_all(STDOUT_FILENO, text, Deadline::never());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("list_daemons", argc, argv, list);
}
