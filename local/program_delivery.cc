#include "local/program_delivery.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/classic_errno.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/program.h"

namespace relais::local {
namespace {

constexpr Seconds grace_after_sigterm{5};

// In the new process: nothing but what may follow a fork.
[[noreturn]] void become_shell(const char* command, int message, int output, bool own_group,
                               const ProgramResources& resources) {
    if (own_group) ::setpgid(0, 0);
    ::signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::dup2(message, STDIN_FILENO) < 0) ::_exit(static_cast<int>(Exit::temporary));
    if (output >= 0 && (::dup2(output, STDOUT_FILENO) < 0 || ::dup2(output, STDERR_FILENO) < 0))
        ::_exit(static_cast<int>(Exit::temporary));
    if (!resources.apply()) ::_exit(static_cast<int>(Exit::temporary));
    ::execl("/bin/sh", "/bin/sh", "-c", command, static_cast<char*>(nullptr));
    constexpr std::string_view text = "Unable to run /bin/sh. (#4.3.0)\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    ::_exit(static_cast<int>(Exit::temporary));
}

class RunningProgram {
  public:
    RunningProgram(const std::string& command, const Message& message, Output& output, bool own_group,
                   const ProgramResources& resources)
        : output_(output), own_group_(own_group) {
        const Fd copy = message.copy();
        Pipe pipe;
        if (output_.captured()) pipe = make_pipe();
        pid_ = ::fork();
        if (pid_ == 0) become_shell(command.c_str(), copy.get(), pipe.write.get(), own_group, resources);
        if (pid_ < 0)
            throw Error(Reaction::temporary, "Unable to fork: " + classic_errno_text(errno) + ". (#4.3.0)",
                        errno);
        // In both processes, so that it has happened whoever comes first.
        if (own_group) ::setpgid(pid_, pid_);
        output_end_ = std::move(pipe.read);
        if (output_end_) set_nonblocking(output_end_.get(), true);
        watch_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
        if (!watch_) {
            const int error_number = errno;
            signal(SIGKILL);
            reap();
            throw_errno("watch", "the program", error_number);
        }
    }

    // Collects output until the program has exited; false if the deadline passed first.
    bool wait_until(Deadline deadline) {
        for (;;) {
            std::array<pollfd, 2> entries{pollfd{watch_.get(), POLLIN, 0},
                                          pollfd{output_end_.get(), POLLIN, 0}};
            const int ready = ::poll(entries.data(), entries.size(), deadline.milliseconds());
            if (ready < 0 && errno != EINTR) throw_errno("wait for", "the program");
            if (ready > 0 && entries[1].revents != 0) collect();
            if (ready > 0 && entries[0].revents != 0) return true;
            if (deadline.passed()) return false;
        }
    }

    // After its exit; takes what is still in the pipe.
    int reap() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        if (output_end_) collect();
        return status;
    }

    void signal(int number) const { ::kill(own_group_ ? -pid_ : pid_, number); }

  private:
    void collect() {
        std::vector<char> buffer(io_buffer_size);
        // One pipe's worth: a child that keeps writing must not keep us here.
        for (int i = 0; i < 16; ++i) {
            const ssize_t count = ::read(output_end_.get(), buffer.data(), buffer.size());
            if (count > 0) {
                output_.say({buffer.data(), static_cast<std::size_t>(count)});
                continue;
            }
            if (count == 0) output_end_.reset();
            if (count < 0 && errno == EINTR) continue;
            return;
        }
    }

    Output& output_;
    bool own_group_;
    pid_t pid_ = -1;
    Fd output_end_;
    Fd watch_;
};

}  // namespace

ProgramEnd run_program_delivery(const std::string& command, const Message& message, Output& output,
                                std::optional<Seconds> limit, const ProgramResources& resources) {
    RunningProgram program(command, message, output, limit.has_value(), resources);
    if (!program.wait_until(limit ? Deadline::in(*limit) : Deadline::never())) {
        program.signal(SIGTERM);
        program.wait_until(Deadline::in(grace_after_sigterm));
        program.signal(SIGKILL);
        program.reap();
        throw Error(Reaction::temporary,
                    "Program did not end within " + std::to_string(limit->count()) + " seconds. (#4.3.0)",
                    ETIMEDOUT);
    }
    const int status = program.reap();
    if (!WIFEXITED(status)) throw Error(Reaction::temporary, "Aack, child crashed. (#4.3.0)");
    return program_end(WEXITSTATUS(status));
}

}  // namespace relais::local
