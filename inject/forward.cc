// forward, in a .qmail file, sends the message on to the addresses of its arguments.
//
// Trust: run by qmail-local as the recipient, with no privilege of its own. Inputs: the message on descriptor
// 0, NEWSENDER (the envelope sender) and DTLINE (the Delivered-To line that goes on top).
//
// Exit codes: 0 accepted, with "forward: qp N" on standard error; 100 wrong usage or refused for good; 111
// later.
#include "base/program.h"
#include "control/hide_arguments.h"
#include "inject/required.h"
#include "inject/submit.h"

int main(int argc, char** argv) {
    using namespace relais;
    return run_program("forward", argc, argv, [](const Arguments& addresses) {
        control::hide_arguments("forward");
        const std::string sender = inject::required_variable("NEWSENDER");
        if (addresses.empty()) throw_permanent("usage: forward address ...");
        inject::forward_message(sender, addresses);
        return static_cast<int>(Exit::success);
    });
}
