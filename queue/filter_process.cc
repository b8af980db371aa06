#include "queue/filter_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "queue/filter_protocol.h"
#include "queue/protocol.h"

namespace relais::queue {
namespace {

constexpr int text_descriptor = 6;
// The runner forks at once; where the machine has no time for that, nor has it for a message.
constexpr std::chrono::seconds runner_patience{60};
constexpr std::chrono::seconds death_patience{5};

// Above the descriptors that the program gets, so that putting one in place does not overwrite another.
int moved_up(int fd) {
    return ::fcntl(fd, F_DUPFD_CLOEXEC, 16);
}

void set_or_unset(const char* name, const std::string& value) {
    if (value.empty())
        ::unsetenv(name);
    else
        ::setenv(name, value.c_str(), 1);
}

class Child : public FilterProcess {
  public:
    explicit Child(pid_t pid) : pid_(pid), end_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
        if (end_) return;
        const int error_number = errno;
        kill();
        throw_errno("watch", "$QMAILQUEUE", error_number);
    }
    pid_t pid() const override { return pid_; }
    int end() const override { return end_.get(); }
    int status() override {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0)
            if (errno != EINTR) throw_errno("wait for", "$QMAILQUEUE");
        return status;
    }
    void kill() noexcept override {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

  private:
    pid_t pid_;
    Fd end_;
};

class RunnersChild : public FilterProcess {
  public:
    RunnersChild(int runner, const std::string& extension, const FilterEnds& ends) : runner_(runner) {
        send(FilterWord::message, "", ends.message);
        send(FilterWord::envelope, "", ends.envelope);
        send(FilterWord::run, extension, ends.text);
        pid_ = static_cast<pid_t>(receive(FilterNews::started, Deadline::in(runner_patience)));
        if (pid_ == 0) throw_errno("start", "$QMAILQUEUE", EAGAIN);
    }
    pid_t pid() const override { return pid_; }
    int end() const override { return runner_; }
    int status() override {
        return static_cast<int>(receive(FilterNews::ended, Deadline::in(runner_patience)));
    }
    void kill() noexcept override {
        try {
            send(FilterWord::kill, "", -1);
            receive(FilterNews::ended, Deadline::in(death_patience));
        } catch (const Error&) {
            // What it says now would be taken for an answer to another question.
            ::shutdown(runner_, SHUT_RDWR);
        }
    }

  private:
    void send(FilterWord word, const std::string& extension, int pipe) const {
        if (!send_packet(runner_, encode(FilterRequest{word, extension}), pipe))
            throw_errno("speak to", "the runner of filters", EPIPE);
    }

    std::uint32_t receive(FilterNews wanted, Deadline deadline) const {
        pollfd entry{runner_, POLLIN, 0};
        while (::poll(&entry, 1, deadline.milliseconds()) <= 0)
            if (deadline.passed()) throw_errno("hear from", "the runner of filters", ETIMEDOUT);
        const auto packet = receive_packet(runner_, filter_answer_size);
        const auto answer = packet ? decode_filter_answer(packet->data) : std::nullopt;
        if (!answer || answer->news != wanted) throw_errno("hear from", "the runner of filters", EPIPE);
        return answer->number;
    }

    int runner_;
    pid_t pid_ = 0;
};

}  // namespace

void execute_filter(const std::string& home, const std::string& program, const std::string& extension,
                    const FilterEnds& ends) {
    const auto fail = [](SubmitCode code) { ::_exit(static_cast<int>(code)); };
    const int message = moved_up(ends.message), envelope = moved_up(ends.envelope),
              text = moved_up(ends.text);
    if (::dup2(message, 0) < 0 || ::dup2(envelope, 1) < 0 || ::dup2(text, text_descriptor) < 0)
        fail(SubmitCode::not_executable);
    ::signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    set_or_unset(extension_name, extension);
    set_or_unset(session_name, mail::session_in_variable(extension));
    if (::chdir(home.c_str()) != 0) fail(SubmitCode::no_home);
    ::execl(program.c_str(), program.c_str(), nullptr);
    log_line("unable to run " + safe_for_log(program) + ", which QMAILQUEUE names: " + errno_text(errno) +
             "; qmailctl doctor looks why");
    ::_exit(static_cast<int>(SubmitCode::not_executable));
}

std::unique_ptr<FilterProcess> fork_filter(const std::string& home, const std::string& program,
                                           const std::string& extension, const FilterEnds& ends) {
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork for", program);
    if (pid == 0) execute_filter(home, program, extension, ends);
    return std::make_unique<Child>(pid);
}

std::unique_ptr<FilterProcess> ask_for_filter(int runner, const std::string& extension,
                                              const FilterEnds& ends) {
    return std::make_unique<RunnersChild>(runner, extension, ends);
}

}  // namespace relais::queue
