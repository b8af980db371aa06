// bouncesaying, in a .qmail file, bounces the message with a text, always or if a program says so (exit code
// 0).
//
// Trust: run by qmail-local as the recipient, with no privilege of its own; runs that user's program, with
// the message on descriptor 0.
//
// Exit codes: 100 bounce, with the text on standard error, or wrong usage; 0 the program said no, or there is
// none; 111 later, when the program exits 111 or crashes.
#include "base/error.h"
#include "inject/child.h"

namespace {

using namespace relais;

int bouncesaying(const Arguments& arguments) {
    if (arguments.empty()) throw_permanent("usage: bouncesaying error [ program [ arg ... ] ]");
    if (arguments.size() > 1 && inject::ask_program(inject::from(arguments, 1)) == inject::Verdict::no)
        return static_cast<int>(Exit::success);
    log_raw_line(arguments[0]);
    return static_cast<int>(Exit::permanent);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("bouncesaying", argc, argv, bouncesaying);
}
