#include "listen/keeper.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "base/event_loop.h"
#include "control/owners.h"
#include "listen/filter_runner.h"

namespace relais::listen {
namespace {

constexpr std::chrono::seconds pause_after_trouble{1};

// Puts this process's own file in the child's place, so that it gets an address layout of its own.
[[noreturn]] void execute_acceptor(const std::string& program, const std::vector<Fd>& sockets,
                                   const Fd& filters, Arguments arguments, pid_t keeper) {
    EventLoop::restore_signals();
    // Without the keeper nobody would free the port. Kept across execve; a keeper that was faster is seen
    // here.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != keeper) ::_exit(0);
    std::string numbers;
    for (const Fd& socket : sockets) {
        set_close_on_exec(socket.get(), false);
        numbers += (numbers.empty() ? "" : ",") + std::to_string(socket.get());
    }
    set_close_on_exec(filters.get(), false);
    arguments.insert(arguments.begin(), program);
    arguments.insert(arguments.end(), {"--sockets", numbers, "--filters", std::to_string(filters.get())});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    ::execv("/proc/self/exe", argv.data());
    throw_errno("execute", "/proc/self/exe");
}

class Keeper {
  public:
    Keeper(std::string_view program, std::vector<Fd> sockets, Fd filters, Arguments arguments)
        : program_(program),
          sockets_(std::move(sockets)),
          filters_(std::move(filters)),
          arguments_(std::move(arguments)) {
        loop_.on_signal(SIGTERM, [this] { end(); });
        loop_.on_signal(SIGHUP, [this] { tell(SIGHUP); });
        loop_.on_signal(SIGCHLD, [this] { reap(); });
    }

    int run() {
        if (!start()) throw_errno("start", "the acceptor");
        loop_.run();
        return 0;
    }

  private:
    bool start() {
        const pid_t keeper = ::getpid();
        acceptor_ = ::fork();
        if (acceptor_ == 0) execute_acceptor(program_, sockets_, filters_, arguments_, keeper);
        return acceptor_ > 0;
    }

    // As long as there is no process to be had the port stays ours, and the clients wait in the backlog.
    void start_again() {
        if (ending_ || start()) return;
        log_line("unable to start the acceptor: " + errno_text(errno) + ", trying again");
        loop_.after(pause_after_trouble, [this] { start_again(); });
    }

    void tell(int signal_number) const {
        if (acceptor_ > 0) ::kill(acceptor_, signal_number);
    }

    // The port is free as soon as the acceptor has ended; its children finish by themselves.
    void end() {
        ending_ = true;
        sockets_.clear();
        tell(SIGTERM);
        if (acceptor_ <= 0) loop_.stop();
    }

    void reap() {
        int status = 0;
        for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG))
            if (pid == acceptor_) acceptor_ended(status);
    }

    void acceptor_ended(int status) {
        acceptor_ = -1;
        if (ending_) return loop_.stop();
        if (WIFEXITED(status) && WEXITSTATUS(status) == acceptor_wants_restart) return start_again();
        log_line("listener ended with " +
                 (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                      : "code " + std::to_string(WEXITSTATUS(status))) +
                 ", starting it again");
        loop_.after(pause_after_trouble, [this] { start_again(); });
    }

    EventLoop loop_;
    const std::string program_;
    std::vector<Fd> sockets_;
    Fd filters_;
    Arguments arguments_;
    pid_t acceptor_ = -1;
    bool ending_ = false;
};

// Where a port was left to the kernel, whoever started us must learn it.
void print_chosen_ports(const Options& options, const std::vector<Fd>& sockets) {
    for (std::size_t i = 0; i < sockets.size(); ++i)
        if (options.places[i].address.port == 0)
            std::printf("%s\n", net::local_endpoint(sockets[i].get()).text().c_str());
    std::fflush(stdout);
}

}  // namespace

int run_keeper(std::string_view program, std::string_view program_variable, const control::Home& home,
               const Options& options, const Arguments& arguments, const std::function<void()>& check) {
    Fd filters = start_filter_guardian(program, home, program_variable);
    std::vector<Fd> sockets;
    for (const Options::Place& place : options.places) sockets.push_back(net::listen_tcp(place.address));
    control::become(control::Owners::read(home), control::Role::qmaild);
    check();
    print_chosen_ports(options, sockets);
    return Keeper(program, std::move(sockets), std::move(filters), arguments).run();
}

}  // namespace relais::listen
