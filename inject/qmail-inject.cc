// qmail-inject takes a message as a person or a script writes it on standard input, completes its header,
// finds out sender and recipients and puts it into the queue.
//
// Trust: run by anybody, with no privilege of its own; what it produces is checked again by qmail-queued.
// Inputs: the message (a header of at most 16 MiB, a body of any length), the arguments, QMAIL* and other
// variables, control/me, defaultdomain, defaulthost, idhost, plusdomain.
//
// Exit codes: 0 accepted and synced, or printed (-n); 100 wrong usage, a header that cannot be understood, or
// refused for good; 111 try again later.
#include "base/error.h"
#include "control/hide_arguments.h"
#include "inject/injection.h"
#include "inject/options.h"

namespace {

using namespace relais;
using inject::RecipientSource;

int qmail_inject(const Arguments& arguments) {
    control::hide_arguments("qmail-inject");
    inject::Request request;
    bool queue = true;
    inject::OptionReader options(arguments, "aAhHnNf:");
    while (const auto option = options.next()) {
        switch (*option) {
            case 'a':
                request.source = RecipientSource::arguments;
                break;
            case 'A':
                request.source = RecipientSource::arguments_or_header;
                break;
            case 'h':
                request.source = RecipientSource::header;
                break;
            case 'H':
                request.source = RecipientSource::both;
                break;
            case 'n':
                queue = false;
                break;
            case 'N':
                queue = true;
                break;
            case 'f':
                request.sender = options.value();
                break;
            default:
                throw_permanent("usage: qmail-inject [ -nNaAhH ] [ -f sender ] [ recip ... ]");
        }
    }
    request.arguments = options.rest();
    inject::inject_message(request, queue);
    return static_cast<int>(Exit::success);
}

}  // namespace

int main(int argc, char** argv) {
    return relais::run_program("qmail-inject", argc, argv, qmail_inject);
}
