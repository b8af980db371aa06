#include "inject/submit.h"

#include <cstdlib>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "inject/required.h"

namespace relais::inject {

Deadline submission_deadline() {
    return Deadline::in(std::chrono::hours(24));
}

void copy_message(int fd, queue::Submission& submission, Deadline deadline) {
    std::vector<char> buffer(io_buffer_size);
    while (const std::size_t count = read_some(fd, buffer, deadline))
        submission.write({buffer.data(), count});
}

void finish(queue::Submission& submission, std::string_view sender,
            const std::vector<std::string>& recipients) {
    const queue::SubmitAnswer answer = submission.finish(sender, recipients);
    if (answer.code == queue::SubmitCode::accepted) return;
    const Reaction reaction =
        is_permanent(answer.code, answer.text) ? Reaction::permanent : Reaction::temporary;
    std::string text = submit_text(answer.code, answer.text);
    if (answer.code == queue::SubmitCode::connect_refused)
        text += ": qmail-queued does not run; qmailctl stat and qmailctl doctor tell more";
    throw Error(reaction, text);
}

void forward_message(std::string_view sender, const std::vector<std::string>& recipients) {
    const std::string delivered_to = required_variable("DTLINE");
    const Deadline deadline = submission_deadline();
    queue::Submission submission(control::Home::from_environment(), queue::Door::submit, deadline);
    mail::Envelope envelope{std::string(sender)};
    envelope.options.submitter.kind = mail::Submitter::Kind::forward;
    submission.begin(envelope);
    submission.write(delivered_to);
    copy_message(0, submission, deadline);
    finish(submission, sender, recipients);
    log_line("qp " + std::to_string(submission.qp()));
}

}  // namespace relais::inject
