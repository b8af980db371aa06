// qmail-qmqpc is qmail-queue for a host that has no queue: message and envelope on descriptors 0 and 1 go by
// QMQP to the first server of control/qmqpservers that is there. Name it in $QMAILQUEUE, or let other
// software's qmail-queue be a link to it.
//
// Trust: run by anybody, with no privilege of its own; the server believes the host, not the user. It prints
// nothing.
//
// Exit codes: those of qmail-queue, as far as they can happen: 0 accepted by the server; 11 an address is too
// long; 31 refused; 51 out of memory, or a message of more than 1 GiB; 52 nothing for 24 hours; 54 message or
// envelope cannot be read to its end; 55 no server in control/qmqpservers; 56 no network; 71 refused for now;
// 72 and 73 no server answers or is there; 74 the connection broke; 81 our bug; 91 bad envelope.
#include <fcntl.h>
#include <signal.h>

#include <new>
#include <vector>

#include "base/error.h"
#include "base/io.h"
#include "control/setting.h"
#include "qmtp/qmqp_client.h"

namespace {

using namespace relais;
using queue::SubmitCode;

constexpr std::size_t message_limit = std::size_t{1} << 30;

std::vector<net::Endpoint> servers() {
    const auto home = control::Home::from_environment();
    return qmtp::parse_servers(control::read<"qmqpservers">(home));
}

// Everything up to the envelope's last NUL.
SubmitCode read_envelope(std::string& envelope, Deadline deadline) {
    std::vector<char> buffer(io_buffer_size);
    queue::EnvelopeCheck check;
    while (!check.complete()) {
        const std::size_t count = read_some(1, buffer, deadline);
        if (count == 0) return envelope.empty() ? SubmitCode::read_error : SubmitCode::bad_envelope;
        check.feed({buffer.data(), count});
        if (check.problem() != SubmitCode::accepted) return check.problem();
        envelope.append(buffer.data(), count);
    }
    envelope.resize(static_cast<std::size_t>(check.consumed()));
    return SubmitCode::accepted;
}

SubmitCode submit() {
    const Deadline deadline = Deadline::in(std::chrono::hours(24));
    std::vector<net::Endpoint> list;
    try {
        list = servers();
    } catch (const Error&) {
    }
    if (list.empty()) return SubmitCode::bad_configuration;
    const std::string message = read_to_end(0, message_limit, deadline);
    std::string envelope;
    const SubmitCode problem = read_envelope(envelope, deadline);
    if (problem != SubmitCode::accepted) return problem;
    return qmtp::submit(list, qmtp::encode_request(message, envelope));
}

SubmitCode code_of(const Error& error) {
    switch (error.number()) {
        case ETIMEDOUT:
            return SubmitCode::timed_out;
        case EFBIG:
            return SubmitCode::out_of_memory;
        default:
            return SubmitCode::read_error;
    }
}

SubmitCode run() {
    try {
        // With either of them closed, a descriptor of our own would come to stand in its place.
        for (const int fd : {0, 1})
            if (::fcntl(fd, F_GETFD) < 0) return SubmitCode::read_error;
        return submit();
    } catch (const std::bad_alloc&) {
        return SubmitCode::out_of_memory;
    } catch (const Error& error) {
        return code_of(error);
    } catch (...) {
        return SubmitCode::bug;
    }
}

}  // namespace

int main() {
    ::signal(SIGPIPE, SIG_IGN);
    return static_cast<int>(run());
}
