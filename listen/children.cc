#include "listen/children.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "base/error.h"

namespace relais::listen {
namespace {

// Between two looks at every child for those whose signal merged with another's.
constexpr std::chrono::seconds sweep_interval{1};
constexpr std::chrono::milliseconds sweep_pause{20};

}  // namespace

bool is_crash(int status) {
    if (!WIFSIGNALED(status)) return false;
    switch (WTERMSIG(status)) {
        case SIGSEGV:
        case SIGBUS:
        case SIGILL:
        case SIGFPE:
        case SIGABRT:
        case SIGSYS:
        case SIGTRAP:
            return true;
        default:
            return false;
    }
}

// A signal names one child; it stands for all that ended before it was read. wait(2) for any child would
// look at every idle session each time, so the others are asked for one by one, now and then.
Children::Children(EventLoop& loop, Ended ended) : loop_(loop), ended_(std::move(ended)) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGCHLD);
    if (::sigprocmask(SIG_BLOCK, &only, nullptr) != 0) throw_errno("block", "signals");
    signals_ = Fd(::signalfd(-1, &only, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) throw_errno("create", "a signal descriptor");
    loop_.add(signals_.get(), EPOLLIN, [this](std::uint32_t) {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
            reap(static_cast<pid_t>(info.ssi_pid));
            some_ended_ = true;
        }
        if (some_ended_ && !sweep_planned_) plan_sweep();
    });
}

// As long as children end, and once more after the last one.
void Children::plan_sweep() {
    sweep_planned_ = true;
    some_ended_ = false;
    loop_.after(sweep_interval, [this] {
        sweep_planned_ = false;
        sweep();
        if (some_ended_) plan_sweep();
    });
}

void Children::sweep() {
    last_sweep_ = Clock::now();
    std::vector<pid_t> all;
    all.reserve(children_.size());
    for (const auto& [pid, ip] : children_) all.push_back(pid);
    for (const pid_t pid : all) reap(pid);
}

void Children::look_again() {
    if (Clock::now() - last_sweep_ > sweep_pause) sweep();
}

void Children::reap(pid_t pid) {
    const auto child = children_.find(pid);
    int status = 0;
    if (child == children_.end() || ::waitpid(pid, &status, WNOHANG) != pid) return;
    const std::string ip = std::move(child->second);
    children_.erase(child);
    ended_(pid, ip, status);
}

}  // namespace relais::listen
