// qmail-newu: compiles users/assign into users/cdb, where qmail-lspawn finds the user of an address.
//
// The old users/cdb stays in force until the new one is on the disk whole, and for good if a line cannot be
// read: the message names it. Run by an administrator who may write to $QMAILHOME/users. Exit codes: 0; 111
// bad format in users/assign, or nothing could be written.
#include "base/error.h"
#include "base/program.h"
#include "control/tool.h"
#include "local/assign.h"

int main(int argc, char** argv) {
    using namespace relais;
    return control::run_tool("qmail-newu", argc, argv, [](const Arguments& arguments) {
        if (!arguments.empty()) throw Error(Reaction::temporary, "usage: qmail-newu");
        local::compile_assign(control::Home::from_environment());
        return static_cast<int>(Exit::success);
    });
}
