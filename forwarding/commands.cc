#include "forwarding/commands.h"

#include <unistd.h>

#include "base/error.h"
#include "inject/child.h"
#include "inject/submit.h"
#include "local/program_end.h"

namespace relais::forwarding {
namespace {

void rewind_message() {
    if (::lseek(STDIN_FILENO, 0, SEEK_SET) < 0) throw_errno("rewind", "input");
}

}  // namespace

std::optional<Exit> run_command(const Arguments& command, std::string_view lines) {
    rewind_message();
    const int code = lines.empty() ? inject::wait_for_program(inject::start_program(command, STDIN_FILENO))
                                   : inject::run_with_input(command, lines);
    switch (local::program_end(code)) {
        case local::ProgramEnd::done:
            return std::nullopt;
        case local::ProgramEnd::permanent:
            return Exit::permanent;
        case local::ProgramEnd::done_and_stop:
        case local::ProgramEnd::temporary:
            break;
    }
    return Exit::temporary;
}

std::uint64_t send_on(const std::string& sender, const std::vector<std::string>& recipients) {
    rewind_message();
    const Deadline deadline = inject::submission_deadline();
    queue::Submission submission(control::Home::from_environment(), queue::Door::submit, deadline);
    submission.write(environment("DTLINE", ""));
    inject::copy_message(STDIN_FILENO, submission, deadline);
    inject::finish(submission, sender, recipients);
    return submission.qp();
}

}  // namespace relais::forwarding
