#include "queue/submission_state.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "queue/filter_protocol.h"

namespace relais::queue {
namespace {

constexpr std::size_t header_size = submission_header_size;
constexpr std::size_t length_size = submission_length_size;

std::string_view socket_name(Door door) {
    switch (door) {
        case Door::network:
            return "queue-network";
        case Door::bounce:
            return "queue-bounce";
        case Door::submit:
            break;
    }
    return "queue-submit";
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

// What an Error on the way to the server means; nothing there, or nobody who listens, has its own codes.
SubmitCode connect_code(const control::Home& home, int error_number) {
    if (error_number == ETIMEDOUT) return SubmitCode::connect_timed_out;
    if (error_number == ENOENT || error_number == ENOTDIR) {
        if (!exists(home.directory())) return SubmitCode::no_home;
        if (!exists(home.path("sockets"))) return SubmitCode::no_queue_directory;
    }
    return SubmitCode::connect_refused;
}

SubmitCode exchange_code(int error_number) {
    return error_number == ETIMEDOUT ? SubmitCode::connect_timed_out : SubmitCode::communication;
}

// The socket's own send timeout (connect_unix) bounds each call, the deadline all of them.
void send_all(int socket, std::string_view data, Deadline deadline) {
    while (!data.empty()) {
        const ssize_t count = ::send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (count >= 0) {
            data.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno != EINTR) {
            throw_errno("send to", "qmail-queued", errno == EAGAIN ? ETIMEDOUT : errno);
        }
        if (deadline.passed()) throw_errno("send to", "qmail-queued", ETIMEDOUT);
    }
}

void append_group_end(std::string& to) {
    to.append(length_size, '\0');
}

}  // namespace

void Submission::State::open() {
    try {
        if (has_filter()) {
            filter = runner >= 0 ? std::make_unique<Filter>(runner, extension_variable)
                                 : std::make_unique<Filter>(home, *filter_program, extension_variable);
            qp = static_cast<std::uint64_t>(filter->pid());
        } else {
            if (streaming && may_drop()) drop = Drop::make(home);
            const bool plain =
                streaming && !extension.empty() && may_say_less() && !server_knows_extensions();
            server = connect();
            if (plain) extension.clear();
            name_version();
        }
    } catch (const Error& error) {
        name_version();
        fail(has_filter() ? SubmitCode::out_of_memory : connect_code(home, error.number()));
    }
}

// queue-network is qmaild's alone: whoever runs "sendmail -bs" submits as the user he is.
Fd Submission::State::connect() const {
    try {
        return connect_unix(home.socket(socket_name(door)), deadline);
    } catch (const Error& error) {
        if (door != Door::network || error.number() != EACCES) throw;
        return connect_unix(home.socket(socket_name(Door::submit)), deadline);
    }
}

// Growing by doubling, a large message would take twice what it may, and half of that again while it is
// moved.
void Submission::State::append(std::string_view part) {
    if (buffer.size() + part.size() > buffer.capacity() && buffer.size() + part.size() > io_buffer_size) {
        std::string whole;
        whole.reserve(header_size + length_size + small_message_limit);
        whole += buffer;
        buffer.swap(whole);
    }
    buffer += part;
}

// Completes the frame in the buffer; an empty one would end the group and is left out.
void Submission::State::end_frame() {
    if (octets() == 0)
        buffer.resize(length_at);
    else
        put_le(buffer.data() + length_at, octets(), length_size);
}

void Submission::State::send_buffer() {
    try {
        copy_to_drop();
        if (filter)
            filter->write_message(std::string_view(buffer).substr(length_at + length_size), deadline);
        else if (server)
            send_all(server.get(), buffer, deadline);
    } catch (...) {
        empty_buffer();
        throw;
    }
    empty_buffer();
}

void Submission::State::empty_buffer() {
    buffer.assign(length_size, '\0');
    length_at = 0;
}

// While a server takes it the copy is a precaution; later it is all there is.
void Submission::State::copy_to_drop() {
    if (!drop) return;
    try {
        drop->write(buffer);
    } catch (const Error&) {
        drop.reset();
        if (!server) throw;
    }
}

// What a restart answers, and what there is to hear while nothing runs. A refusal of the server's is none.
bool Submission::State::server_is_away() const {
    if (!failure || !may_drop()) return false;
    const SubmitCode code = failure->code;
    return code == SubmitCode::no_queue_directory || code == SubmitCode::connect_timed_out ||
           code == SubmitCode::connect_refused || code == SubmitCode::communication;
}

// What streams: the copy has it all, and gets the rest. A server that gave up early may have said why.
void Submission::State::go_on_without_server() {
    if (!drop || !server_is_away()) return;
    if (server && failure->code == SubmitCode::communication) {
        failure.reset();
        guarded(&State::read_answer);
        if (!server_is_away()) return drop.reset();
    }
    server.reset();
    failure.reset();
}

void Submission::State::guarded(void (State::*step)()) {
    if (failure) return;
    try {
        (this->*step)();
    } catch (const Error& error) {
        fail(exchange_code(error.number()));
    }
}

void Submission::State::append_group(std::string_view octets) {
    while (!octets.empty()) {
        const std::string_view part = octets.substr(0, frame_limit);
        append_le(buffer, part.size(), length_size);
        buffer += part;
        octets.remove_prefix(part.size());
    }
    append_group_end(buffer);
}

// In the header, which is still in the buffer.
void Submission::State::name_version() {
    const char flag = streaming ? 'l' : 's';
    const std::string header = {'R', 'Q', extension.empty() ? '1' : '2',
                                named_by_pid ? static_cast<char>(flag - 'a' + 'A') : flag};
    buffer.replace(0, header_size, header);
}

void Submission::State::ask_for_extensions() {
    send_all(server.get(), "RQ2?", deadline);
    read_answer();
}

// Asked on a connection of its own, for what streams cannot be said again.
bool Submission::State::server_knows_extensions() {
    server = connect();
    // One that takes nothing now says so and closes, maybe before it is asked: the submission will hear why.
    guarded(&State::ask_for_extensions);
    server.reset();
    const SubmitCode code = failure ? failure->code : SubmitCode::communication;
    failure.reset();
    return code == SubmitCode::accepted;
}

// Ends the message, sends the envelope, reads the answer into failure.
void Submission::State::exchange(std::string_view envelope) {
    append_group_end(buffer);
    append_group(envelope);
    if (!extension.empty()) append_group(extension);
    guarded(&State::send_buffer);
    // Gone since it began to stream: the drop directory has it all.
    if (!server && !failure) return fail(SubmitCode::connect_refused);
    // A server that gave up early has closed its side, and said why.
    if (failure && failure->code != SubmitCode::communication) return;
    failure.reset();
    guarded(&State::read_answer);
}

bool Submission::State::refused_version() const {
    return !extension.empty() && failure && failure->code == SubmitCode::bug;
}

// To a server of version 1. What the sender wants protected waits until it has ended.
bool Submission::State::may_say_less() const {
    const auto decoded = mail::decode_extension(extension, 0);
    return !decoded || !decoded->options.requiretls;
}

// Before a filter: its qmail-queue is another process, and what each says of the message has it in common.
void Submission::State::name_own_session() {
    if (door == Door::network) session = fmt::format("{}.{}", now_microseconds(), ::getpid());
}

// Who has it from the environment may have been called for another message: only the session is still true.
// In the same session it is the message of which something was promised, whatever sender a filter has given
// it. An extension without fields says nothing.
void Submission::State::forget_extension() {
    mail::EnvelopeOptions options;
    const auto decoded = mail::decode_extension(extension, 0);
    if (decoded && !session.empty() && decoded->options.session == session) {
        options.requiretls = decoded->options.requiretls;
        options.hold = decoded->options.hold;
        options.release = decoded->options.release;
        options.deliver_by = decoded->options.deliver_by;
        options.priority = decoded->options.priority;
    }
    options.session = session;
    extension = mail::encode_extension(options, {});
    if (extension.empty()) extension.assign(streaming ? 1 : 0, '\0');
}

// In version 1. message: what was in the buffer before the envelope.
void Submission::State::say_again(const std::string& message, std::string_view envelope) {
    extension.clear();
    failure.reset();
    buffer = message;
    open();
    if (!failure) exchange(envelope);
}

// message: what the buffer held before the envelope, header and all, of what has not streamed. Whatever is
// wrong there, the answer stays what the server's absence has made it; but what can never be taken in is
// refused now, for nobody is told later.
void Submission::State::leave_in_drop(const std::string& message, std::string_view envelope) {
    EnvelopeCheck check;
    check.feed(envelope);
    if (check.problem() != SubmitCode::accepted) return fail(check.problem());
    if (!check.complete()) return fail(SubmitCode::bad_envelope);
    const bool said = !extension.empty() && extension != std::string_view("\0", 1);
    if (said && !mail::decode_extension(extension, check.recipients())) return fail(SubmitCode::bad_envelope);
    // What has streamed is gone, unless there is a copy.
    if (streaming && !drop) return;
    try {
        if (!drop) {
            drop = Drop::make(home);
            if (!drop) return;
            buffer = message;
            name_version();
            append_group_end(buffer);
            append_group(envelope);
            if (!extension.empty()) append_group(extension);
            drop->write(buffer);
        }
        drop->keep();
        failure = SubmitAnswer{SubmitCode::accepted, static_cast<MessageId>(::getpid()), {}};
    } catch (const Error&) {
        drop.reset();
    }
}

void Submission::State::read_answer() {
    char head[answer_head_size];
    if (!read_exactly(server.get(), head, deadline))
        throw_errno("read", "an answer from qmail-queued", EPIPE);
    const auto decoded = decode_answer_head(std::string_view(head, sizeof head));
    if (!decoded) throw_errno("understand", "the answer of qmail-queued", EPROTO);
    SubmitAnswer answer{decoded->code, decoded->id, std::string(decoded->text_size, '\0')};
    if (!answer.text.empty() && !read_exactly(server.get(), answer.text, deadline))
        throw_errno("read", "an answer from qmail-queued", EPIPE);
    failure = std::move(answer);
}

SubmitAnswer Submission::State::finish_filter(std::string_view envelope) {
    try {
        filter->write_message(std::string_view(buffer).substr(length_at + length_size), deadline);
        return filter->finish(envelope, deadline);
    } catch (const Error& error) {
        return {error.number() == ETIMEDOUT ? SubmitCode::timed_out : SubmitCode::communication, 0, {}};
    }
}

}  // namespace relais::queue
