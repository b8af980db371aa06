#include "queue/filter.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"

namespace relais::queue {
namespace {

constexpr int text_descriptor = 6;
constexpr int legacy_address_too_long = 115;

// Above the descriptors that the program gets, so that putting one in place does not overwrite another.
int moved_up(int fd) {
    return ::fcntl(fd, F_DUPFD_CLOEXEC, 16);
}

[[noreturn]] void run(const char* home, const char* program, int message, int envelope, int text) {
    const auto fail = [](SubmitCode code) { ::_exit(static_cast<int>(code)); };
    message = moved_up(message);
    envelope = moved_up(envelope);
    text = moved_up(text);
    if (::dup2(message, 0) < 0 || ::dup2(envelope, 1) < 0 || ::dup2(text, text_descriptor) < 0)
        fail(SubmitCode::not_executable);
    ::signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::chdir(home) != 0) fail(SubmitCode::no_home);
    ::execl(program, program, nullptr);
    ::_exit(static_cast<int>(SubmitCode::not_executable));
}

// False if the program no longer reads.
bool write_unless_closed(int fd, std::string_view data, Deadline deadline) {
    try {
        write_all(fd, data, deadline);
        return true;
    } catch (const Error& error) {
        if (error.number() != EPIPE) throw;
        return false;
    }
}

SubmitAnswer answer_of(int status, std::string text) {
    if (!WIFEXITED(status)) return {SubmitCode::bug, 0, {}};
    const int code = WEXITSTATUS(status);
    if (code == legacy_address_too_long) return {SubmitCode::address_too_long, 0, {}};
    return {static_cast<SubmitCode>(code), 0,
            code == static_cast<int>(SubmitCode::custom) ? std::move(text) : ""};
}

// What the program wrote so far; without waiting, for a grandchild may hold the other end.
std::string read_text(int fd) {
    set_nonblocking(fd, true);
    std::string text(answer_text_limit, '\0');
    const ssize_t count = ::read(fd, text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
}

}  // namespace

Filter::Filter(const control::Home& home, const std::string& program) {
    Pipe message = make_pipe();
    Pipe envelope = make_pipe();
    Pipe text = make_pipe();
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("fork for", program);
    if (pid_ == 0)
        run(home.directory().c_str(), program.c_str(), message.read.get(), envelope.read.get(),
            text.write.get());
    message_ = std::move(message.write);
    envelope_ = std::move(envelope.write);
    text_ = std::move(text.read);
    set_nonblocking(message_.get(), true);
    set_nonblocking(envelope_.get(), true);
}

Filter::~Filter() {
    if (!running_) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void Filter::write_message(std::string_view data, Deadline deadline) {
    if (!write_unless_closed(message_.get(), data, deadline)) read_all_ = false;
}

SubmitAnswer Filter::finish(std::string_view envelope, Deadline deadline) {
    message_.reset();
    if (!write_unless_closed(envelope_.get(), envelope, deadline)) read_all_ = false;
    envelope_.reset();
    const int status = wait(deadline);
    SubmitAnswer answer = answer_of(status, read_text(text_.get()));
    // It cannot have taken what it never read.
    if (answer.code == SubmitCode::accepted && !read_all_) answer.code = SubmitCode::communication;
    return answer;
}

// The text pipe reaches its end when the program does, unless a child of it lives on; the pid tells for sure.
int Filter::wait(Deadline deadline) {
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (process && !wait_readable(process.get(), deadline)) throw_errno("wait for", "$QMAILQUEUE", ETIMEDOUT);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0) {
        if (errno == EINTR) continue;
        running_ = false;
        throw_errno("wait for", "$QMAILQUEUE");
    }
    running_ = false;
    return status;
}

}  // namespace relais::queue
