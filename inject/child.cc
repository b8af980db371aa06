#include "inject/child.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/classic_errno.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"

namespace relais::inject {
namespace {

// The program is not there, or is none: that will not change by itself.
bool is_lasting(int error_number) {
    switch (error_number) {
        case ENOENT:
        case ENOTDIR:
        case EACCES:
        case EPERM:
        case ENOEXEC:
        case EISDIR:
        case ELOOP:
        case ENAMETOOLONG:
        case E2BIG:
        case EINVAL:
            return true;
        default:
            return false;
    }
}

std::vector<char*> vector_of(const Arguments& command) {
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    return argv;
}

[[noreturn]] void become_program(std::vector<char*>& argv, int standard_input) {
    // run_program ignores SIGPIPE, and what is ignored stays so across exec.
    ::signal(SIGPIPE, SIG_DFL);
    if (standard_input != STDIN_FILENO && ::dup2(standard_input, STDIN_FILENO) < 0) ::_exit(111);
    ::execvp(argv[0], argv.data());
    const int why = errno;
    log_line("fatal: unable to run " + std::string(argv[0]) + ": " + classic_errno_text(why));
    ::_exit(is_lasting(why) ? 100 : 111);
}

// A program need not read all of its input: that it closed it is no failure.
void feed(int pipe, std::string_view first) {
    std::vector<char> buffer(io_buffer_size);
    try {
        write_all(pipe, first, Deadline::never());
        while (const std::size_t count = read_some(STDIN_FILENO, buffer, Deadline::never()))
            write_all(pipe, {buffer.data(), count}, Deadline::never());
    } catch (const Error& error) {
        if (error.number() != EPIPE) throw;
    }
}

}  // namespace

Arguments from(const Arguments& arguments, std::size_t first) {
    return {arguments.begin() + static_cast<std::ptrdiff_t>(first), arguments.end()};
}

pid_t start_program(const Arguments& command, int standard_input) {
    std::vector<char*> argv = vector_of(command);
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("start", command.front());
    if (pid == 0) become_program(argv, standard_input);
    return pid;
}

void become_command(const Arguments& command) {
    std::vector<char*> argv = vector_of(command);
    ::signal(SIGPIPE, SIG_DFL);
    ::execvp(argv[0], argv.data());
    throw_errno("run", command.front());
}

int wait_for_program(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) throw_errno("wait for", "child");
    if (!WIFEXITED(status)) throw Error(Reaction::temporary, "child crashed");
    return WEXITSTATUS(status);
}

int run_with_input(const Arguments& command, std::string_view first) {
    Pipe pipe = make_pipe();
    const pid_t program = start_program(command, pipe.read.get());
    pipe.read.reset();
    feed(pipe.write.get(), first);
    pipe.write.reset();
    return wait_for_program(program);
}

Verdict ask_program(const Arguments& command) {
    const int code = wait_for_program(start_program(command, STDIN_FILENO));
    if (code == static_cast<int>(Exit::temporary)) throw Error(Reaction::temporary, "temporary child error");
    return code == 0 ? Verdict::yes : Verdict::no;
}

}  // namespace relais::inject
