#include "pop3/password_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "pop3/opening.h"

namespace relais::pop3 {
namespace {

constexpr int credentials_fd = 3;

[[noreturn]] void become_program(const Arguments& words, int credentials) {
    ::signal(SIGPIPE, SIG_DFL);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const bool placed = credentials == credentials_fd ? ::fcntl(credentials, F_SETFD, 0) == 0
                                                      : ::dup2(credentials, credentials_fd) == credentials_fd;
    if (placed) ::execvp(arguments[0], arguments.data());
    log_line("unable to run " + words[0] + ": " + errno_text(errno));
    ::_exit(static_cast<int>(Exit::temporary));
}

volatile pid_t running = 0;

// Who ends qmail-popup means the session: the user's process could not be told otherwise.
void pass_on(int signal_number) {
    if (running > 0) ::kill(running, signal_number);
}

}  // namespace

int run_password_program(const Arguments& words, std::string& credentials, const std::string& challenge) {
    Pipe pipe = make_pipe();
    // It fits into the pipe: no reader is needed.
    write_all(pipe.write.get(), credentials, Deadline::never());
    ::explicit_bzero(credentials.data(), credentials.size());
    write_all(pipe.write.get(), challenge + '\0', Deadline::never());
    pipe.write.reset();
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork for", words[0]);
    if (pid == 0) become_program(words, pipe.read.get());
    running = pid;
    ::signal(SIGTERM, pass_on);
    pipe.read.reset();
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) throw_errno("wait for", words[0]);
    return status;
}

std::string answer_to(int status) {
    if (WIFSIGNALED(status)) return "-ERR [SYS/TEMP] aack, child crashed";
    switch (WEXITSTATUS(status)) {
        case 1:
            return std::string(refused_answer);
        case 2:
            return "-ERR [SYS/PERM] the password program was misused";
        default:
            return std::string(try_later_answer);
    }
}

}  // namespace relais::pop3
