#include "listen/acceptor.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/huge_text.h"
#include "base/own_memory.h"
#include "base/privilege.h"
#include "base/process_title.h"
#include "base/program.h"
#include "control/directory_watch.h"
#include "listen/children.h"
#include "listen/keeper.h"
#include "listen/places.h"
#include "listen/watched_rules.h"

namespace relais::listen {
namespace {

// So many before other events get their turn.
constexpr int accepts_at_once = 64;
// Children that share their memory with the acceptor.
constexpr std::size_t largest_family = 1000;
// RFC 5321, 4.5.3.1.5. So much always fits the socket buffer of a new connection as a whole.
constexpr std::size_t reply_limit = 512;

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

// What is wrong with the files that the work reads, if anything.
template <class Work>
std::optional<std::string> attempt(Work work) {
    try {
        work();
        return std::nullopt;
    } catch (const Error& error) {
        return error.what();
    }
}

class Acceptor {
  public:
    Acceptor(Service& service, const Options& options)
        : service_(service),
          options_(options),
          directories_(watched_directories(service, options)),
          places_(options.connection_limit, options.address_limit),
          children_(loop_, [this](pid_t pid, const std::string& ip, int status) { ended(pid, ip, status); }) {
        if (options.rules) rules_.emplace(*options.rules, std::string(service.program_variable()));
        service_.reload();
        for (const int socket : options.sockets) {
            set_close_on_exec(socket, true);
            loop_.add(socket, EPOLLIN, [this, socket](std::uint32_t) { accept_some(socket); });
        }
        service_.watch(loop_);
        loop_.on_signal(SIGTERM, [this] { loop_.stop(); });
        loop_.on_signal(SIGHUP, [this] { service_.reload(); });
    }

    int run() {
        if (const auto trouble = read_rules()) log_line(*trouble);
        confined_ =
            std::getenv(std::string(service_.program_variable()).c_str()) == nullptr && !rules_name_program();
        // Reading is left to the uid; writing anywhere is forbidden to the whole tree of processes.
        if (confined_)
            confine({.open_files = true,
                     .local_sockets = true,
                     .fork_without_signals = true,
                     .read_below = {"/"},
                     .write_below = {}});
        loop_.run();
        return exit_code_;
    }

  private:
    static std::vector<std::string> watched_directories(const Service& service, const Options& options) {
        std::vector<std::string> all = service.directories();
        if (options.rules) all.push_back(directory_of(*options.rules));
        return all;
    }

    void stop(int exit_code) {
        exit_code_ = exit_code;
        loop_.stop();
    }

    std::optional<std::string> read_rules() {
        return attempt([this] {
            if (rules_) rules_->get();
        });
    }
    bool rules_name_program() const { return rules_ && rules_->names_program(); }

    void accept_some(int socket) {
        for (int i = 0; i < accepts_at_once; ++i) {
            directories_.look();
            std::optional<std::string> trouble = read_rules();
            // Before a client is taken on: the next acceptor finds it in the backlog.
            if (confined_ && rules_name_program()) return stop(acceptor_wants_restart);
            net::SocketAddress peer;
            const Fd connection(::accept4(socket, peer.get(), &peer.size, SOCK_CLOEXEC));
            if (!connection) {
                if (errno == EAGAIN) return;
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                    return rest(socket);
                continue;  // the client has left again
            }
            // Once more: what changed before this client came counts for it.
            directories_.look();
            if (!trouble) trouble = attempt([this] { service_.refresh(); });
            admit(connection.get(), net::to_endpoint(peer), trouble);
        }
    }

    // No descriptor left, or no memory: the clients wait in the backlog meanwhile.
    void rest(int socket) {
        log_line("unable to accept: " + errno_text(errno));
        loop_.change(socket, 0);
        loop_.after(std::chrono::seconds(1), [this, socket] { loop_.change(socket, EPOLLIN); });
    }

    void admit(int connection, const net::Endpoint& peer, std::optional<std::string> trouble) {
        if (places_.full() || places_.full_for(peer.ip)) children_.look_again();
        if (places_.full()) return turn_away(connection, peer, Refusal::too_many);
        if (places_.full_for(peer.ip)) return turn_away(connection, peer, Refusal::too_many_from_address);
        tcprules::Decision decision;
        if (!trouble && rules_)
            trouble = attempt([&] {
                decision = rules_->last().look_up({peer.ip, std::nullopt, std::nullopt});
            });
        if (trouble) {
            log_line(*trouble);
            return turn_away(connection, peer, Refusal::our_trouble);
        }
        if (!decision.allow) return turn_away(connection, peer, Refusal::denied);
        start(connection, peer, decision);
    }

    // One packet that fits any socket buffer; whoever does not take it does without.
    void turn_away(int connection, const net::Endpoint& peer, Refusal why) {
        const std::string line = service_.refuse(peer, why) + "\r\n";
        ::send(connection, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }

    void start(int connection, const net::Endpoint& peer, const tcprules::Decision& decision) {
        Variables variables;
        const auto trouble = attempt([&] {
            variables = connection_variables(net::local_endpoint(connection), peer);
            for (const auto& variable : decision.variables) variables.push_back(variable);
        });
        if (trouble) return log_line(*trouble);
        const Beginning beginning = begin(connection);
        const pid_t pid = ::fork();
        if (pid < 0) {
            log_line("unable to fork: " + errno_text(errno));
            return turn_away(connection, peer, Refusal::our_trouble);
        }
        if (pid == 0) ::_exit(serve_child(connection, peer, variables, beginning));
        children_.add(pid, peer.ip);
        places_.take(peer.ip);
        part_from_many_children();
    }

    // The client hears the greeting before the fork: while it answers, the child comes to life, and need
    // not wait for it. Nothing else is said here, for nothing that a client sends is read in this process.
    Beginning begin(int connection) {
        if (options_.tls) return Beginning::tls;
        const std::string line = service_.greeting() + "\r\n";
        if (line.size() > reply_limit) return Beginning::greeting;
        const ssize_t sent = ::send(connection, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent == static_cast<ssize_t>(line.size()) ? Beginning::greeted : Beginning::greeting;
    }

    void part_from_many_children() {
        family_begins_ = std::min(family_begins_, children_.count());
        if (children_.count() < family_begins_ + largest_family) return;
        part_from_children();
        family_begins_ = children_.count();
    }

    // The child: nothing of the acceptor's is left open but the log.
    int serve_child(int connection, const net::Endpoint& peer, const Variables& variables,
                    Beginning beginning) {
        try {
            EventLoop::restore_signals();
            ::signal(SIGHUP, SIG_IGN);
            // Only a program that may be run could see them.
            if (!confined_) export_variables(variables);
            if (::dup2(connection, STDIN_FILENO) < 0 || ::dup2(connection, STDOUT_FILENO) < 0)
                throw_errno("move", "a connection");
            ::close_range(STDERR_FILENO + 1, ~0U, 0);
            set_process_title(service_.name(), {peer.ip});
            service_.serve(variables, beginning);
            return 0;
        } catch (const std::exception& error) {
            log_line(error.what());
            return static_cast<int>(Exit::temporary);
        }
    }

    static void export_variables(const Variables& variables) {
        for (const char* name : {"TCPREMOTEHOST", "TCPREMOTEINFO", "TCP6REMOTEHOST", "TCP6REMOTEINFO"})
            ::unsetenv(name);
        for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    }

    // As tcpserver sets them.
    Variables connection_variables(const net::Endpoint& local, const net::Endpoint& peer) const {
        Variables all = {{"PROTO", peer.is_v6() ? "TCP6" : "TCP"}};
        for (const std::string prefix : {"TCP", "TCP6"}) {
            all.emplace_back(prefix + "LOCALIP", local.ip);
            all.emplace_back(prefix + "LOCALPORT", std::to_string(local.port));
            all.emplace_back(prefix + "LOCALHOST", service_.local_name());
            all.emplace_back(prefix + "REMOTEIP", peer.ip);
            all.emplace_back(prefix + "REMOTEPORT", std::to_string(peer.port));
            if (!peer.is_v6()) break;
        }
        return all;
    }

    void ended(pid_t pid, const std::string& ip, int status) {
        places_.release(ip);
        if (!is_crash(status)) return;
        log_line("child " + std::to_string(pid) + " serving " + ip + " died by signal " +
                 std::to_string(WTERMSIG(status)));
        stop(acceptor_saw_crash);
    }

    EventLoop loop_;
    Service& service_;
    const Options& options_;
    control::DirectoryWatch directories_;
    std::optional<WatchedRules> rules_;
    Places places_;
    Children children_;
    std::size_t family_begins_ = 0;  // so many children share no memory with us
    bool confined_ = false;
    int exit_code_ = 0;
};

}  // namespace

int run_acceptor(Service& service, const Options& options) {
    // execve from /proc/self/exe has named it "exe".
    set_process_name(service.name());
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    move_text_to_huge_pages();
    return Acceptor(service, options).run();
}

}  // namespace relais::listen
