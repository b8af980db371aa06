// condredirect, in a .qmail file, runs a program on the message; if the program says yes (exit code 0), the
// message goes to another address and nothing else happens to it.
//
// Trust: run by qmail-local as the recipient, with no privilege of its own; runs that user's program. Inputs:
// the message on descriptor 0, which must be a file; SENDER and DTLINE.
//
// Exit codes: 99 redirected (qmail-local stops here), with "condredirect: qp N" on standard error; 0 the
// program said no, or there is none; 100 wrong usage or refused for good; 111 later, also when the program
// exits 111 or crashes.
#include <unistd.h>

#include "base/program.h"
#include "control/hide_arguments.h"
#include "inject/child.h"
#include "inject/required.h"
#include "inject/submit.h"

namespace {

using namespace relais;

constexpr int stop_here = 99;

int condredirect(const Arguments& arguments) {
    control::hide_arguments("condredirect");
    if (arguments.size() < 2) throw_permanent("usage: condredirect newaddress program [ arg ... ]");
    if (inject::ask_program(inject::from(arguments, 1)) == inject::Verdict::no)
        return static_cast<int>(Exit::success);
    if (::lseek(STDIN_FILENO, 0, SEEK_SET) < 0) throw_errno("rewind", "message");
    inject::forward_message(inject::required_variable("SENDER"), {arguments[0]});
    return stop_here;
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("condredirect", argc, argv, condredirect);
}
