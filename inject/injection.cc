#include "inject/injection.h"

#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "control/home.h"
#include "inject/submit.h"
#include "mail/address.h"
#include "mail/header.h"

namespace relais::inject {
namespace {

// Fifty thousand long recipients, or a few pages of anything else.
constexpr std::size_t header_limit = std::size_t{16} << 20;

mail::HeaderReader read_header(std::vector<char>& buffer, Deadline deadline) {
    using State = mail::HeaderReader::State;
    mail::HeaderReader reader(header_limit);
    State state = State::more;
    while (state == State::more) {
        const std::size_t count = read_some(STDIN_FILENO, buffer, deadline);
        state = count > 0 ? reader.add({buffer.data(), count}) : reader.finish();
    }
    if (state == State::too_long) throw_permanent("the header is too long");
    return reader;
}

// The blank line and what was read of the body; a blank line that came as CR LF leaves as LF, like the
// header.
std::string_view start_of_body(const mail::HeaderReader& reader) {
    std::string_view rest = reader.rest();
    if (rest.starts_with("\r\n")) rest.remove_prefix(1);
    return rest;
}

void print(const Composed& composed, std::string_view body, std::vector<char>& buffer, Deadline deadline) {
    std::string text = "Return-Path: <" + mail::quoted_address(composed.sender) + ">\n";
    text.append(composed.header).append(body);
    write_all(STDOUT_FILENO, text, deadline);
    while (const std::size_t count = read_some(STDIN_FILENO, buffer, deadline))
        write_all(STDOUT_FILENO, {buffer.data(), count}, deadline);
}

mail::Envelope envelope_of(const Composed& composed, const ReportWish& reports) {
    mail::Envelope envelope{composed.sender};
    envelope.options.ret = reports.ret;
    envelope.options.envid = reports.envid;
    for (const std::string& recipient : composed.recipients)
        envelope.recipients.push_back({recipient, {reports.notify}});
    return envelope;
}

}  // namespace

void inject_message(const Request& request, bool queue, const ReportWish& reports) {
    const control::Home home = control::Home::from_environment();
    const Settings settings = Settings::read(home);
    const Deadline deadline = submission_deadline();
    std::vector<char> buffer(io_buffer_size);
    const mail::HeaderReader reader = read_header(buffer, deadline);
    const Composed composed = compose(reader.fields(), request, settings);
    if (!queue) return print(composed, start_of_body(reader), buffer, deadline);

    if (composed.recipients.empty()) throw_permanent("no recipients");
    queue::Submission submission(home, queue::Door::submit, deadline);
    if (reports.notify.said() || reports.ret != mail::Ret::unsaid || !reports.envid.empty())
        submission.begin(envelope_of(composed, reports));
    submission.write(composed.header);
    submission.write(start_of_body(reader));
    copy_message(STDIN_FILENO, submission, deadline);
    finish(submission, composed.sender, composed.recipients);
}

}  // namespace relais::inject
