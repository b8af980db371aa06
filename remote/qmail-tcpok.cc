// qmail-tcpok: forgets which hosts did not answer, so that qmail-remote tries them again.
//
// For administrators: it empties queue/lock/tcpto, which root and qmailr may. Exit codes: 0; 100 wrong usage; 111 the
// table cannot be written.

#include <fcntl.h>

#include "base/error.h"
#include "base/program.h"
#include "queue/store.h"
#include "remote/tcpto.h"

namespace {

using namespace relais;

int forget(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: qmail-tcpok");
    const std::string path = queue::tcpto_path(control::Home::from_environment());
    Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    if (!fd && errno == ENOENT) return static_cast<int>(Exit::success);
    if (!fd) throw_errno("open", path);
    remote::TimeoutTable(std::move(fd)).clear();
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-tcpok", argc, argv, forget);
}
