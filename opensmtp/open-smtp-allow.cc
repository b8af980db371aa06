// open-smtp-allow PROGRAM [ARGUMENT...]: the step of a login chain after the password program. It tells
// open-smtpd, on the channel that open-smtp-channel opened, who logged in, closes the channel, and runs
// PROGRAM.
//
// Trust: it runs as the user who logged in, before any code of that user's. What it can say is bound by the
// channel: that a login from this client's address succeeded, and a name ($USER). Other processes of the same
// user cannot take the descriptor from it: its installed file is not readable, and it makes itself
// untraceable. Whatever goes wrong is logged, and PROGRAM is run. Exit codes: those of PROGRAM; 100 wrong
// usage; 111 PROGRAM cannot be run.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "opensmtp/chain.h"
#include "opensmtp/protocol.h"

using namespace relais;

namespace {

// The channel, if there is one; nothing of it is left behind.
std::optional<Fd> take_channel() {
    const char* number = std::getenv(opensmtp::channel_variable);
    const auto fd = parse_number(number != nullptr ? number : "");
    ::unsetenv(opensmtp::channel_variable);
    struct stat kind {};
    if (!fd || *fd < 3 || *fd > 1'000'000 || ::fstat(static_cast<int>(*fd), &kind) != 0 ||
        !S_ISSOCK(kind.st_mode))
        return std::nullopt;
    return Fd(static_cast<int>(*fd));
}

void confirm(Fd channel) {
    opensmtp::OpenSmtpClient client(std::move(channel));
    const opensmtp::Answer answer = client.ask(
        {.verb = opensmtp::Verb::confirm, .address = "", .user = environment("USER", ""), .service = ""},
        Deadline::in(Seconds(5)));
    if (!answer.ok) throw_permanent(answer.text);
}

}  // namespace

int main(int argc, char** argv) {
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return run_program("open-smtp-allow", argc, argv, [](const Arguments& arguments) -> int {
        if (arguments.empty()) throw_permanent("usage: open-smtp-allow PROGRAM [ARGUMENT...]");
        try {
            if (auto channel = take_channel())
                confirm(std::move(*channel));
            else
                log_line("this login does not open SMTP: no channel (open-smtp-channel must run before)");
        } catch (const Error& error) {
            log_line(std::string("this login does not open SMTP: ") + error.what());
        }
        opensmtp::run_next(arguments);
    });
}
