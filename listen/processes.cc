#include "listen/processes.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/unix_socket.h"

namespace relais::listen {
namespace {

constexpr std::string_view filters_word = "f";
constexpr std::chrono::milliseconds tick_interval{1000};
constexpr std::chrono::milliseconds look_pause{20};
// So many of the processes that clients took within a second are made before the next ones come.
constexpr std::size_t spare_share = 8;

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

}  // namespace

// A process that ends closes its channel first; only those that have are asked for. wait(2) for any child
// would look at every idle session each time.
Processes::Processes(EventLoop& loop, Limits limits, Handlers handlers)
    : loop_(loop), limits_(limits), handlers_(std::move(handlers)) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGCHLD);
    if (::sigprocmask(SIG_BLOCK, &only, nullptr) != 0) throw_errno("block", "signals");
    signals_ = Fd(::signalfd(-1, &only, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) throw_errno("create", "a signal descriptor");
    loop_.add(signals_.get(), EPOLLIN, [this](std::uint32_t) {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        }
        reap_ending();
    });
    loop_.before_wait([this] { return refill(); });
}

bool Processes::hand_over(int connection, Visitor visitor, Reuse reuse, int filters) {
    visitor.filtered = filters >= 0;
    const std::string key = key_of(visitor);
    for (Process* process = choose(key, reuse); process != nullptr; process = choose(key, reuse)) {
        if (process->clients++ == 0) process->first_client = Clock::now();
        visitor.last = reuse == Reuse::off || process->clients >= limits_.clients;
        try {
            if (send_packet(process->channel.get(), encode(visitor), connection) &&
                (filters < 0 || send_packet(process->channel.get(), filters_word, filters))) {
                process->state = State::busy;
                process->key = key;
                process->ip = visitor.peer.ip;
                return true;
            }
        } catch (const Error& error) {
            end(*process);
            errno = error.number();
            return false;
        }
        end(*process);  // it had gone
    }
    return false;
}

// The one that waits for the shortest time is the warmest.
Processes::Process* Processes::choose(const std::string& key, Reuse reuse) {
    if (reuse != Reuse::off && !kept_.empty()) {
        auto found = std::find_if(kept_.rbegin(), kept_.rend(),
                                  [&](const Process* process) { return process->key == key; });
        if (found == kept_.rend() && reuse == Reuse::any) found = kept_.rbegin();
        if (found != kept_.rend()) {
            Process* const process = *found;
            kept_.erase(std::next(found).base());
            return process;
        }
    }
    ++spares_taken_;
    if (spares_.empty()) return make();
    Process* const process = spares_.back();
    spares_.pop_back();
    return process;
}

// nullptr, with errno, if there is none to be had.
Processes::Process* Processes::make() {
    auto process = std::make_unique<Process>();
    Fd other;
    try {
        std::tie(process->channel, other) = make_packet_pair();
        process->pid = ::fork();
    } catch (const Error& error) {
        errno = error.number();
        return nullptr;
    }
    if (process->pid < 0) return nullptr;
    if (process->pid == 0) become_process(other.get());
    set_nonblocking(process->channel.get(), true);
    process->generation = generation_;
    process->idle_since = Clock::now();
    Process* const result = process.get();
    processes_.emplace(result->pid, std::move(process));
    try {
        loop_.add(result->channel.get(), EPOLLIN, [this, result](std::uint32_t) { listen_to(*result); });
        return result;
    } catch (const Error& error) {
        end(*result);
        errno = error.number();
        return nullptr;
    }
}

// Nothing of the acceptor's is left open but the log.
void Processes::become_process(int channel) {
    EventLoop::restore_signals();
    ::signal(SIGHUP, SIG_IGN);
    constexpr int place = STDERR_FILENO + 1;
    if (::dup2(channel, place) < 0) ::_exit(1);
    ::close_range(place + 1, ~0U, 0);
    ::_exit(handlers_.serve(place));
}

void Processes::expect(const Visitor& visitor, Reuse reuse) {
    client_came_ = true;
    plan_tick();
    if (spares_wanted_ > 0) return;
    const auto fits = [&, key = key_of(visitor)](const Process* process) {
        return reuse == Reuse::any || process->key == key;
    };
    if (reuse == Reuse::off || std::none_of(kept_.begin(), kept_.end(), fits)) spares_wanted_ = 1;
}

// Before each wait, one at a time: what has happened comes first.
bool Processes::refill() {
    if (spares_.size() >= spares_wanted_) return false;
    Process* const spare = make();
    // Whoever needs one says so.
    if (spare == nullptr) return false;
    spares_.push_back(spare);
    plan_tick();
    return spares_.size() < spares_wanted_;
}

void Processes::listen_to(Process& process) {
    char word = 0;
    const ssize_t count = ::recv(process.channel.get(), &word, 1, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count == 1 && word == free_word && process.state == State::busy) return became_free(process);
    // One that ends unasked may do so again at once.
    if (process.state == State::spare) spares_wanted_ = 0;
    end(process);
}

void Processes::became_free(Process& process) {
    process.state = State::kept;
    handlers_.left(std::exchange(process.ip, {}));
    process.idle_since = Clock::now();
    kept_.push_back(&process);
    if (process.generation != generation_ || process.idle_since - process.first_client > limits_.lifetime)
        return end(process);
    if (kept_.size() > limits_.kept) end(*kept_.front());
    plan_tick();
}

// It sees the end of its channel, if it has not ended before.
void Processes::end(Process& process) {
    if (process.state == State::ending) return;
    std::erase(spares_, &process);
    std::erase(kept_, &process);
    process.state = State::ending;
    loop_.remove(process.channel.get());
    process.channel.reset();
    ending_.push_back(&process);
    reap(process);
}

void Processes::reap_ending() {
    for (const auto all = ending_; Process* const process : all) reap(*process);
}

// One that closes its channel and lives on keeps its place.
void Processes::reap(Process& process) {
    int status = 0;
    const pid_t pid = process.pid;
    if (::waitpid(pid, &status, WNOHANG) != pid) return;
    const std::string ip = std::move(process.ip);
    std::erase(ending_, &process);
    processes_.erase(pid);
    if (!ip.empty()) handlers_.left(ip);
    if (is_crash(status)) handlers_.crashed(pid, ip, WTERMSIG(status));
}

void Processes::outdate() {
    ++generation_;
    while (!spares_.empty()) end(*spares_.back());
    while (!kept_.empty()) end(*kept_.back());
}

void Processes::look_again() {
    if (Clock::now() - last_look_ < look_pause) return;
    last_look_ = Clock::now();
    std::vector<Process*> all;
    for (const auto& [pid, process] : processes_)
        if (process->state == State::busy) all.push_back(process.get());
    for (Process* const process : all) listen_to(*process);
    reap_ending();
}

void Processes::plan_tick() {
    if (!std::exchange(tick_planned_, true)) loop_.after(tick_interval, [this] { tick(); });
}

// As many as follow from the last second, and none when nobody comes any more.
void Processes::tick() {
    tick_planned_ = false;
    const std::size_t wanted = spares_taken_ / spare_share + (client_came_ ? 1 : 0);
    spares_wanted_ = std::min(std::max(wanted, spares_wanted_ / 2), limits_.spares);
    spares_taken_ = 0;
    client_came_ = false;
    const auto latest = Clock::now() - limits_.idle;
    while (!kept_.empty() && kept_.front()->idle_since <= latest) end(*kept_.front());
    while (spares_.size() > spares_wanted_ && spares_.front()->idle_since <= latest) end(*spares_.front());
    if (!kept_.empty() || !spares_.empty()) plan_tick();
}

}  // namespace relais::listen
