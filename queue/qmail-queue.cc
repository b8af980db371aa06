// qmail-queue puts one message into the queue: the message is read from descriptor 0, then the envelope from
// descriptor 1: F sender NUL, T recipient NUL for each, NUL. It prints nothing; the exit code says it all.
//
// Trust: run by anybody, with no privilege of its own; a client of qmail-queued, which learns the caller's
// uid from the kernel. Input is taken from the caller as it is; addresses are bounded to 1002 octets.
//
// Exit codes: 0 accepted and synced; 11 an address is too long; 31 refused; 51 out of memory; 52 nothing for
// 24 hours; 53 write error, disk full; 54 message or envelope cannot be read to its end; 61 no home, 62 no
// sockets; 64 qmail-queued cannot create a file; 71 refused for now; 72 and 73 qmail-queued does not answer
// or is not there, 74 it went away; 81 our bug; 91 bad envelope. 11 to 40 are permanent.
#include <fcntl.h>
#include <signal.h>

#include <new>
#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "queue/client.h"

namespace {

using namespace relais;
using queue::SubmitCode;

int exit_code(SubmitCode code) {
    return static_cast<int>(code);
}

// Reads as much of the input as one read gives; an empty view at the end.
std::string_view read_piece(int fd, std::vector<char>& buffer, Deadline deadline) {
    return {buffer.data(), read_some(fd, buffer, deadline)};
}

int submit(std::vector<char>& buffer, Deadline deadline) {
    queue::Submission submission(control::Home::from_environment(), queue::Door::submit, deadline, false,
                                 true);
    if (auto said = mail::extension_from_variable(environment(queue::extension_name, "")))
        submission.begin(said->sender, std::move(said->extension));
    submission.name_session(environment(queue::session_name, ""));
    for (std::string_view piece = read_piece(0, buffer, deadline); !piece.empty();
         piece = read_piece(0, buffer, deadline))
        submission.write(piece);

    std::string envelope;
    queue::EnvelopeCheck check;
    while (!check.complete()) {
        const std::string_view piece = read_piece(1, buffer, deadline);
        if (piece.empty()) return exit_code(SubmitCode::read_error);
        check.feed(piece);
        if (check.problem() != SubmitCode::accepted) return exit_code(check.problem());
        envelope += piece;
    }
    // What follows the last NUL is nobody's, as in qmail.
    envelope.resize(static_cast<std::size_t>(check.consumed()));
    return exit_code(submission.finish_encoded(envelope).code);
}

}  // namespace

int main() {
    ::signal(SIGPIPE, SIG_IGN);
    try {
        // With either of them closed, a descriptor of our own would come to stand in its place.
        for (const int fd : {0, 1})
            if (::fcntl(fd, F_GETFD) < 0) return exit_code(SubmitCode::read_error);
        std::vector<char> buffer(io_buffer_size);
        return submit(buffer, Deadline::in(std::chrono::hours(24)));
    } catch (const std::bad_alloc&) {
        return exit_code(SubmitCode::out_of_memory);
    } catch (const Error& error) {
        return exit_code(error.number() == ETIMEDOUT ? SubmitCode::timed_out : SubmitCode::read_error);
    } catch (...) {
        return exit_code(SubmitCode::bug);
    }
}
