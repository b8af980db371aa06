// qmail-tcpto: prints the hosts that did not answer qmail-remote lately, one a line.
//
// For administrators: it reads queue/lock/tcpto, which root and qmailr may. Exit codes: 0; 100 wrong usage;
// 111 the table cannot be read.

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/time.h"
#include "control/tool.h"
#include "remote/tcpto.h"

namespace {

using namespace relais;

int print(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-tcpto");
    const auto table = remote::TimeoutTable::open_existing(control::Home::from_environment(), O_RDONLY);
    std::string out;
    for (const auto& entry : table.entries())
        out += entry.address + " timed out " + std::to_string(now_seconds() - entry.last) +
               " seconds ago; # recent timeouts: " + std::to_string(entry.count) + "\n";
    write_all(STDOUT_FILENO, out, Deadline::never());
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("qmail-tcpto", argc, argv, print);
}
