#include "start/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <chrono>

#include "base/error.h"
#include "base/privilege.h"
#include "base/program.h"

namespace relais::start {
namespace {

using namespace std::chrono_literals;

constexpr auto restart_pause = 1s;
constexpr auto lock_pause = 100ms;
// A handover takes a moment; after so many tries it is worth a line in the log.
constexpr int silent_waits = 30;
// Deliveries that end within this time after SIGTERM end in order.
constexpr auto leave_patience = 2s;
// What qmail-queued may take for the submissions it has when everything ends; it is safe to kill at any time.
constexpr auto end_patience = 30s;

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

// Puts the descriptors in their places: first out of the way of each other, then where they belong.
void place_descriptors(const Program& program) {
    std::vector<int> wanted;
    const int input = program.input >= 0 ? program.input : ::open("/dev/null", O_RDONLY);
    wanted.push_back(input);
    wanted.push_back(program.output >= 0 ? program.output : STDOUT_FILENO);
    wanted.push_back(program.output >= 0 ? program.output : STDERR_FILENO);
    wanted.insert(wanted.end(), program.descriptors.begin(), program.descriptors.end());
    const int count = static_cast<int>(wanted.size());
    for (int& fd : wanted) {
        fd = ::fcntl(fd, F_DUPFD, count + 16);
        if (fd < 0) throw_errno("duplicate", "a descriptor");
    }
    for (int i = 0; i < count; ++i)
        if (::dup2(wanted[static_cast<std::size_t>(i)], i) < 0) throw_errno("place", "a descriptor");
    if (::close_range(static_cast<unsigned>(count), ~0U, 0) != 0)
        throw_errno("close", "all other descriptors");
}

void block_signals_for_event_loop() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGHUP, SIGALRM, SIGTERM}) sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

[[noreturn]] void become_program(const Program& program, pid_t parent) {
    try {
        EventLoop::restore_signals();
        if (program.takes_signals) block_signals_for_event_loop();
        ::signal(SIGPIPE, SIG_DFL);
        place_descriptors(program);
        if (program.owner) {
            empty_bounding_set();
            drop_privilege(program.owner->uid, program.owner->gid);
        }
        // After the change of user, which would undo it.
        if (program.ends_with_parent && (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || ::getppid() != parent))
            ::_exit(111);
        const std::string name = base_name(program.path);
        std::vector<char*> arguments{const_cast<char*>(name.c_str())};
        for (const std::string& argument : program.arguments)
            arguments.push_back(const_cast<char*>(argument.c_str()));
        arguments.push_back(nullptr);
        ::execvp(program.path.c_str(), arguments.data());
        throw_errno("run", program.path);
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + error.what());
    }
    ::_exit(111);
}

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
    return "exited " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

pid_t start_program(const Program& program) {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw_errno("fork for", program.path);
    if (child == 0) become_program(program, parent);
    return child;
}

Supervisor::Supervisor(std::vector<Program> services, TakeLock take_lock, MakeGeneration make_generation)
    : take_lock_(std::move(take_lock)), make_generation_(std::move(make_generation)) {
    for (Program& program : services) services_.push_back({std::move(program), 0});
}

void Supervisor::run() {
    loop_.on_signal(SIGCHLD, [this] { on_child(); });
    loop_.on_signal(SIGTERM, [this] { stop(); });
    loop_.on_signal(SIGHUP, [this] { pass_on(SIGHUP); });
    loop_.on_signal(SIGALRM, [this] { pass_on(SIGALRM); });
    for (Service& service : services_) start_service(service);
    start_generation();
    loop_.run();
}

void Supervisor::start_service(Service& service) {
    if (stopping_) return;
    try {
        service.pid = start_program(service.program);
    } catch (const Error& error) {
        log_line(std::string("alert: ") + error.what());
        loop_.after(restart_pause, [this, &service] { start_service(service); });
    }
}

void Supervisor::start_generation() {
    if (stopping_) return stop_if_all_ended();
    try {
        auto lock = take_lock_();
        if (!lock) return wait_for_lock();
        waits_for_lock_ = 0;
        // Closed when all are started: a channel must end with the processes that use it.
        std::vector<Fd> ours;
        for (const Program& program : make_generation_(std::move(*lock), ours)) {
            const pid_t pid = start_program(program);
            if (send_ == 0)
                send_ = pid;
            else
                spawners_.emplace(pid, base_name(program.path));
        }
    } catch (const Error& error) {
        log_line(std::string("alert: ") + error.what());
        if (send_ == 0) restart_generation();
    }
}

void Supervisor::wait_for_lock() {
    if (++waits_for_lock_ == silent_waits)
        log_line(
            "alert: no delivery starts: processes of before still hold queue/lock/send (qmailctl doctor "
            "names them)");
    loop_.after(lock_pause, [this] { start_generation(); });
}

void Supervisor::on_child() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        on_service_ended(pid, status);
        on_member_ended(pid, status);
    }
    stop_if_all_ended();
}

void Supervisor::on_service_ended(pid_t pid, int status) {
    for (Service& service : services_) {
        if (service.pid != pid) continue;
        service.pid = 0;
        if (stopping_) continue;
        log_line("alert: " + base_name(service.program.path) + " " + how_it_ended(status) +
                 "; starting it again");
        loop_.after(restart_pause, [this, &service] { start_service(service); });
    }
}

void Supervisor::on_member_ended(pid_t pid, int status) {
    if (pid == send_) {
        send_ = 0;
        if (stopping_) return end_services();
        log_line("alert: qmail-send " + how_it_ended(status) +
                 "; it and the spawners are started again, beside what these still have");
        return restart_generation();
    }
    const auto spawner = spawners_.find(pid);
    if (spawner == spawners_.end()) return;
    if (status != 0)
        log_line("alert: " + spawner->second + " " + how_it_ended(status) +
                 "; what it had under way is tried again");
    spawners_.erase(spawner);
}

void Supervisor::restart_generation() {
    loop_.after(restart_pause, [this] { start_generation(); });
}

void Supervisor::pass_on(int signal_number) {
    if (send_ > 0) ::kill(send_, signal_number);
}

void Supervisor::stop() {
    if (std::exchange(stopping_, true)) return;
    pass_on(SIGTERM);
    if (send_ == 0) end_services();
    loop_.after(leave_patience, [this] {
        if (send_ != 0) {
            log_line("deliveries go on: the next qmail-start takes them over");
            end_services();
        }
        leaving_ = true;
        stop_if_all_ended();
    });
    stop_if_all_ended();
}

void Supervisor::end_services() {
    // The logger (the one with an input) ends when nobody writes to it any more.
    for (const Service& service : services_)
        if (service.pid > 0 && service.program.input < 0) ::kill(service.pid, SIGTERM);
    loop_.after(end_patience, [this] {
        for (const Service& service : services_)
            if (service.pid > 0 && service.program.input < 0) ::kill(service.pid, SIGKILL);
    });
}

void Supervisor::stop_if_all_ended() {
    if (!stopping_ || (!leaving_ && (send_ != 0 || !spawners_.empty()))) return;
    for (const Service& service : services_)
        if (service.pid > 0 && service.program.input < 0) return;
    loop_.stop();
}

}  // namespace relais::start
