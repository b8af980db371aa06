// qmail-tcpok: forgets which hosts did not answer, so that qmail-remote tries them again.
//
// For administrators: it empties queue/lock/tcpto, which root and qmailr may. Exit codes: 0; 100 wrong usage;
// 111 the table cannot be written.

#include <fcntl.h>

#include "base/error.h"
#include "base/program.h"
#include "control/tool.h"
#include "remote/tcpto.h"

namespace {

using namespace relais;

int forget(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-tcpok");
    remote::TimeoutTable::open_existing(control::Home::from_environment(), O_RDWR).clear();
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("qmail-tcpok", argc, argv, forget);
}
