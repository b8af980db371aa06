// qmail-qstat counts the messages in the queue of $QMAILHOME, and those that qmail-send has not seen yet.
//
// It reads directories alone, so a million messages take a second. What qmail-send has seen it is asked for;
// while it does not run it has seen nothing, for it scans the queue when it starts. For root, or the one user
// of a user instance.
//
// Exit codes: 0 counted; 100 not permitted; 111 there is no queue, or qmail-send does not answer.

#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "control/tool.h"
#include "queue/change.h"

namespace relais::queue {
namespace {

constexpr Seconds patience{10};

std::uint64_t known_to_qmail_send(const control::Home& home) {
    auto client = connect_to_qmail_send(home);
    if (!client) return 0;
    const auto answer = client->ask({send::ControlVerb::stat, 0}, Deadline::in(patience));
    for (const std::string_view line : split(answer.text, '\n'))
        if (const auto known = line.starts_with("known ") ? parse_number(line.substr(6)) : std::nullopt)
            return *known;
    throw Error(Reaction::temporary, "unable to ask qmail-send what it knows: " + answer.text);
}

// Whoever reads a pipe may have seen enough.
void print(const std::string& text) {
    try {
        write_all(STDOUT_FILENO, text, Deadline::never());
    } catch (const Error& error) {
        if (error.number() != EPIPE) throw;
    }
}

int count(const Arguments&) {
    const auto home = control::Home::from_environment();
    std::uint64_t messages = 0;
    try {
        messages = Store(home).count();
    } catch (const Error& error) {
        throw_helpfully(home, error);
    }
    print("messages in queue: " + std::to_string(messages) + "\n");
    // Messages may come and go between the two counts.
    const std::uint64_t known = messages > 0 ? std::min(known_to_qmail_send(home), messages) : 0;
    print("messages in queue but not yet preprocessed: " + std::to_string(messages - known) + "\n");
    return 0;
}

}  // namespace
}  // namespace relais::queue

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-qstat", argc, argv, relais::queue::count);
}
