// rblsmtpd [-bBcC] [-t seconds] [-r zone] [-a zone] program [argument...] stands between tcpserver and an
// SMTP server: it refuses clients that DNS lists name, or that $RBLSMTPD is set for, and runs the program for
// the others.
//
//   -r zone  refused is who has a TXT record there; its text is the reply
//   -a zone  who has an A record there is let through, and no later list is asked
//   -b, -B   the refusal is final (553), or not (451, the default)
//   -c, -C   while a list does not answer, clients are refused (451), or let through (the default)
//   -t n     a refused client has so many seconds (60)
//
// $RBLSMTPD stands for all lists: empty, the client is let through; a text, it is refused with it, finally
// where it begins with a minus.
//
// Trust: the texts of lists and what clients say are strangers'. Asks DNS by the instance's qmail-resolver
// ($QMAILHOME). Runs as whoever tcpserver says.
//
// Exit codes: those of the program; 0 for a client that was refused; 100 wrong usage; 111 the program cannot
// be run.
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"
#include "control/home.h"
#include "family/block_lookup.h"
#include "inject/child.h"

namespace {

using namespace relais;

constexpr std::size_t line_limit = 2048;

// What it says to one command.
std::string answer(std::string_view line, const std::string& refusal, bool& ended) {
    const std::string verb = lower(trim(line.substr(0, line.find(' '))));
    constexpr std::array<std::string_view, 5> harmless = {"helo", "ehlo", "mail", "rset", "noop"};
    ended = verb == "quit";
    if (ended) return "221 rblsmtpd.local";
    for (const std::string_view each : harmless)
        if (verb == each) return "250 rblsmtpd.local";
    return refusal;
}

void refuse(const std::string& reply, std::chrono::seconds timeout) {
    const Deadline deadline = Deadline::in(timeout);
    const auto say = [&](const std::string& text) { write_all(STDOUT_FILENO, text + "\r\n", deadline); };
    try {
        Reader client(STDIN_FILENO);
        std::string line;
        bool ended = false;
        say("220 rblsmtpd.local");
        while (!ended && client.read_line(line, line_limit, deadline) != Reader::Line::ended)
            say(answer(line, reply, ended));
    } catch (const Error&) {
        // The client has gone, or its time is over.
    }
}

int work(const Arguments& arguments) {
    const family::BlockOptions options = family::BlockOptions::read(arguments);
    const std::string address = environment("TCPREMOTEIP", environment("TCP6REMOTEIP", ""));
    const char* said = std::getenv("RBLSMTPD");
    std::optional<std::string> reason;
    if (said != nullptr) {
        if (*said != '\0') reason = said;
    } else if (!options.sources.empty()) {
        net::Resolver resolver(control::Home::from_environment());
        reason = family::look_up_client(options, address, resolver);
    }
    if (!reason) inject::become_command(options.command);
    const std::string reply = family::block_reply(*reason);
    log_line(safe_for_log(address) + " pid " + std::to_string(::getpid()) + ": " + reply);
    refuse(reply, options.timeout);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("rblsmtpd", argc, argv, work);
}
