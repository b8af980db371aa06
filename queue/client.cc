#include "queue/client.h"

#include <unistd.h>

#include "base/io.h"
#include "base/program.h"
#include "queue/filter_protocol.h"
#include "queue/submission_state.h"

namespace relais::queue {

Submission::Submission(const control::Home& home, Door door, Deadline deadline, bool honour_qmailqueue,
                       bool named_by_pid)
    : state_(std::make_unique<State>(home, door, deadline)) {
    state_->named_by_pid = named_by_pid;
    const std::string program = honour_qmailqueue ? environment("QMAILQUEUE", "") : "";
    if (program.empty()) return;
    state_->filter_program = program;
    state_->name_own_session();
}

Submission::~Submission() = default;

void Submission::use_runner(int channel) {
    state_->runner = channel;
    state_->name_own_session();
}

void Submission::begin(const mail::Envelope& envelope) {
    if (state_->session.empty()) return begin(envelope.sender, mail::encode_extension(envelope));
    mail::Envelope named = envelope;
    named.options.session = state_->session;
    begin(envelope.sender, mail::encode_extension(named));
}

void Submission::name_session(const std::string& session) {
    State& state = *state_;
    if (!mail::is_session(session)) return;
    state.session = session;
    // Another session's extension may have been left in the environment.
    const auto decoded = mail::decode_extension(state.extension, 0);
    if (!decoded || decoded->options.session != session) state.forget_extension();
}

const std::string& Submission::session() const {
    return state_->session;
}

void Submission::begin(std::string_view sender, std::string extension) {
    State& state = *state_;
    state.extension = std::move(extension);
    state.extension_sender = sender;
    if (!state.has_filter()) return;
    state.extension_variable = mail::extension_variable(sender, state.extension);
    if (state.extension_variable.size() <= extension_limit) return;
    // What is said of thousands of recipients does not fit; how the message came does.
    const auto decoded = mail::decode_extension(state.extension, 0);
    state.extension_variable =
        mail::extension_variable(sender, decoded ? mail::encode_extension(decoded->options, {}) : "");
}

void Submission::write(std::string_view data) {
    State& state = *state_;
    while (!state.failure && state.octets() + data.size() > small_message_limit) {
        const std::string_view part = data.substr(0, small_message_limit - state.octets());
        state.append(part);
        data.remove_prefix(part.size());
        if (!state.streaming) {
            state.streaming = true;
            state.open();
            state.go_on_without_server();
            if (state.failure) break;
        }
        state.end_frame();
        state.guarded(&State::send_buffer);
        state.go_on_without_server();
    }
    if (!state.failure) state.append(data);
}

SubmitAnswer Submission::finish(std::string_view sender, const std::vector<std::string>& recipients) {
    return finish_encoded(encode_submitted_envelope(sender, recipients));
}

SubmitAnswer Submission::finish_encoded(std::string_view envelope) {
    State& state = *state_;
    if (!state.extension.empty() && !envelope.starts_with("F" + state.extension_sender + '\0'))
        state.forget_extension();
    if (!state.failure && !state.streaming) state.open();
    if (!state.failure && state.filter) return state.finish_filter(envelope);
    if (state.filter) return *state.failure;
    if (!state.failure || !state.streaming) state.end_frame();
    const bool kept = !state.streaming && (state.may_drop() || !state.extension.empty());
    const std::string message = kept ? state.buffer : std::string();
    if (!state.failure) {
        state.exchange(envelope);
        if (!message.empty() && state.refused_version() && state.may_say_less())
            state.say_again(message, envelope);
    } else if (state.server && state.failure->code == SubmitCode::communication) {
        state.failure.reset();
        state.guarded(&State::read_answer);
    }
    state.server.reset();
    if (state.server_is_away()) state.leave_in_drop(message, envelope);
    if (state.failure->code == SubmitCode::accepted)
        state.qp = state.named_by_pid ? static_cast<std::uint64_t>(::getpid()) : state.failure->id;
    return *state.failure;
}

std::uint64_t Submission::qp() const {
    return state_->qp;
}

}  // namespace relais::queue
