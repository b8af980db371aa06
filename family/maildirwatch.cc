// maildirwatch shows what is new in $MAILDIR, twice a minute, in a terminal that it clears first.
//
// Trust: run by anybody in a window of his own, with no privilege of its own; what senders wrote is shown
// without what could command the terminal. Exit codes: 111 MAILDIR is not set, or cannot be read; otherwise
// it runs until it is interrupted.
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "family/summary.h"

namespace {

using namespace relais;

constexpr const char* clear = "\033[H\033[J";
constexpr unsigned pause_seconds = 30;

std::string page(const std::string& maildir) {
    std::string text = clear;
    std::size_t count = 0;
    for (const std::string& path : family::maildir_files(maildir, false)) {
        const std::string beginning = family::beginning_of(path);
        if (beginning.empty()) continue;
        text += family::summary_line(beginning) + "\n";
        ++count;
    }
    return text += count == 0 ? "No new mail.\n" : "";
}

int maildirwatch(const Arguments& arguments) {
    if (!arguments.empty()) throw_permanent("usage: maildirwatch, with MAILDIR in the environment");
    const char* maildir = std::getenv("MAILDIR");
    if (maildir == nullptr) throw Error(Reaction::temporary, "MAILDIR not set");
    for (;; ::sleep(pause_seconds)) write_all(STDOUT_FILENO, page(maildir), Deadline::never());
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("maildirwatch", argc, argv, maildirwatch);
}
