// except turns the exit code of a program round: for condredirect and bouncesaying in .qmail files.
//
// Trust: run by qmail-local as the recipient, with no privilege of its own; runs that user's program.
//
// Exit codes: 100 the program exited 0, or wrong usage; 111 it exited 111 or crashed; 0 for everything else.
#include "base/error.h"
#include "inject/child.h"

int main(int argc, char** argv) {
    using namespace relais;
    return run_program("except", argc, argv, [](const Arguments& command) {
        if (command.empty()) throw_permanent("usage: except program [ arg ... ]");
        const bool said_yes = inject::ask_program(command) == inject::Verdict::yes;
        return static_cast<int>(said_yes ? Exit::permanent : Exit::success);
    });
}
