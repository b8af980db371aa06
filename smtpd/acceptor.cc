#include "smtpd/acceptor.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/family_memory.h"
#include "base/huge_text.h"
#include "base/own_memory.h"
#include "base/privilege.h"
#include "base/process_title.h"
#include "base/program.h"
#include "control/directory_watch.h"
#include "keyd/client.h"
#include "opensmtp/address.h"
#include "smtpd/kept_offers.h"
#include "smtpd/log.h"
#include "smtpd/serve.h"
#include "smtpd/watched_rules.h"
#include "tcprules/rules.h"
#include "tls/openssl.h"

namespace relais::smtpd {
namespace {

// So many before other events get their turn.
constexpr int accepts_at_once = 64;
// Between two looks at every child for those whose signal merged with another's.
constexpr std::chrono::seconds sweep_interval{1};
constexpr std::chrono::milliseconds sweep_pause{20};

// Children that share their memory with the acceptor.
constexpr std::size_t largest_family = 1000;

constexpr std::chrono::milliseconds certificate_patience{5000};
constexpr std::chrono::milliseconds reconnection_patience{20};
constexpr std::chrono::milliseconds certificate_pause{1000};

// RFC 5321, 4.5.3.1.5. So much always fits the socket buffer of a new connection as a whole.
constexpr std::size_t reply_limit = 512;

constexpr std::string_view too_many = "421 too many connections, try again later (#4.3.2)";
constexpr std::string_view too_many_from_you = "421 too many connections from your address (#4.7.0)";

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

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

using Variables = std::vector<std::pair<std::string, std::string>>;

// The last one of that name, or what the environment has; of the connection it knows nothing.
std::optional<std::string> look_up(const Variables& variables, const std::string& name) {
    const auto found = std::find_if(variables.rbegin(), variables.rend(),
                                    [&](const auto& variable) { return variable.first == name; });
    if (found != variables.rend()) return found->second;
    const char* value = name.starts_with("TCP") ? nullptr : std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

void export_variables(const Variables& variables) {
    for (const char* name : {"TCPREMOTEHOST", "TCPREMOTEINFO", "TCP6REMOTEHOST", "TCP6REMOTEINFO"})
        ::unsetenv(name);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
}

// Whose connections are counted together: an IPv6 client has a whole /64 to call from.
std::string neighbourhood(const std::string& ip) {
    return opensmtp::network64(ip).value_or(ip);
}

class Acceptor {
  public:
    Acceptor(control::Home home, const ListenerOptions& options) : home_(std::move(home)), options_(options) {
        if (options_.rules) rules_.emplace(*options_.rules);
        load();
        std::vector<std::string> directories = {home_.path("control"), home_.path("users")};
        if (options_.rules) directories.push_back(directory_of(*options_.rules));
        directories_.emplace(std::move(directories));
        offers_.emplace(loop_, home_);
        for (const int socket : options_.sockets) {
            set_close_on_exec(socket, true);
            loop_.add(socket, EPOLLIN, [this, socket](std::uint32_t) { accept_some(socket); });
        }
        watch_certificates(true);
        loop_.on_signal(SIGTERM, [this] { loop_.stop(); });
        loop_.on_signal(SIGHUP, [this] { load(); });
        watch_children();
    }

    int run() {
        const auto trouble = attempt([this] {
            if (rules_) rules_->get();
        });
        if (trouble) log_line(*trouble);
        confined_ = std::getenv("QMAILQUEUE") == nullptr && !(rules_ && rules_->set_qmailqueue());
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
    // qmail-keyd tells of each change, so that a connection costs no look at a file. As long as it does not run, what was known
    // is used on; TLS without certificate is not offered.
    void watch_certificates(bool first) {
        try {
            certificates_ =
                keyd::watch(home_, Deadline::in(first ? certificate_patience : reconnection_patience));
            // Only before there are clients an answer is waited for: qmail-keyd's socket takes connections also while it is away.
            if (first) take_certificate();
            loop_.add(certificates_.get(), EPOLLIN, [this](std::uint32_t) { on_certificate(); });
        } catch (const Error& error) {
            certificates_.reset();
            tls_.keys_are_away(true);
            if (!std::exchange(trouble_was_logged_, true)) log_line(std::string("TLS: ") + error.what());
            loop_.after(certificate_pause, [this] { watch_certificates(false); });
        }
    }

    void take_certificate() {
        auto chain = keyd::read_watched(certificates_.get(), Deadline::in(certificate_patience));
        if (!chain) throw_errno("hear from", "qmail-keyd", ECONNRESET);
        trouble_was_logged_ = false;
        tls_.keys_are_away(false);
        try {
            tls_.prepare(*std::move(chain));
        } catch (const Error& error) {
            log_line(std::string("TLS stays as it was: ") + error.what());
        }
    }

    void on_certificate() {
        try {
            take_certificate();
        } catch (const Error&) {
            // It is being started again.
            loop_.remove(certificates_.get());
            certificates_.reset();
            tls_.keys_are_away(true);
            loop_.after(certificate_pause, [this] { watch_certificates(false); });
        }
    }

    struct Child {
        std::string ip;
    };

    // Reads everything anew.
    void load() {
        settings_ = std::make_unique<WatchedSettings>(home_);
        policy_ = std::make_unique<Policy>(home_);
    }

    void stop(int exit_code) {
        exit_code_ = exit_code;
        loop_.stop();
    }

    void accept_some(int socket) {
        for (int i = 0; i < accepts_at_once; ++i) {
            directories_->look();
            std::optional<std::string> trouble = attempt([this] {
                if (rules_) rules_->get();
            });
            // Before a client is taken on: the next acceptor finds it in the backlog.
            if (confined_ && rules_ && rules_->set_qmailqueue()) return stop(acceptor_wants_restart);
            net::SocketAddress peer;
            const Fd connection(::accept4(socket, peer.get(), &peer.size, SOCK_CLOEXEC));
            if (!connection) {
                if (errno == EAGAIN) return;
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                    return rest(socket);
                continue;  // the client has left again
            }
            // Once more: what changed before this client came counts for it.
            directories_->look();
            offers_->look();
            if (!trouble) trouble = attempt([this] { refresh(); });
            admit(connection.get(), net::to_endpoint(peer), trouble);
        }
    }

    // Reads what has changed. What it says lasts; who holds it is written to for each client.
    void refresh() {
        const Lasting scope;
        settings_->get();
        policy_->refresh();
    }

    // What is wrong with the files that the work reads, if anything.
    template <class Work>
    static std::optional<std::string> attempt(Work work) {
        try {
            work();
            return std::nullopt;
        } catch (const Error& error) {
            return error.what();
        }
    }

    // No descriptor left, or no memory: the clients wait in the backlog meanwhile.
    void rest(int socket) {
        log_line("unable to accept: " + errno_text(errno));
        loop_.change(socket, 0);
        loop_.after(std::chrono::seconds(1), [this, socket] { loop_.change(socket, EPOLLIN); });
    }

    void admit(int connection, const net::Endpoint& peer, std::optional<std::string> trouble) {
        if (has_too_many() || has_too_many_of(peer)) sweep_unless_fresh();
        if (has_too_many()) return turn_away(connection, peer, too_many);
        if (has_too_many_of(peer)) return turn_away(connection, peer, too_many_from_you);
        tcprules::Decision decision;
        if (!trouble && rules_)
            trouble = attempt([&] {
                decision = rules_->last().look_up({peer.ip, std::nullopt, std::nullopt});
            });
        if (trouble) {
            log_line(*trouble);
            return turn_away(connection, peer, our_trouble);
        }
        if (!decision.allow) return turn_away(connection, peer, denied);
        start(connection, peer, decision);
    }

    bool has_too_many() const { return children_.size() >= options_.connection_limit; }
    bool has_too_many_of(const net::Endpoint& peer) const {
        const auto same = per_ip_.find(neighbourhood(peer.ip));
        return options_.address_limit > 0 && same != per_ip_.end() && same->second >= options_.address_limit;
    }

    // One packet that fits any socket buffer; whoever does not take it does without.
    void turn_away(int connection, const net::Endpoint& peer, std::string_view reply) {
        const std::string line = std::string(reply) + "\r\n";
        ::send(connection, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        log_line(refuse_line({peer.ip, std::nullopt}, std::nullopt, std::nullopt, reply));
    }

    // What can be done before the fork is done here: each page that the child touches first costs it a fault.
    void start(int connection, const net::Endpoint& peer, const tcprules::Decision& decision) {
        std::optional<Client> client;
        Variables variables;
        const auto trouble = attempt([&] {
            variables = connection_variables(net::local_endpoint(connection), peer);
            for (const auto& variable : decision.variables) variables.push_back(variable);
            client = Client::from([&](const std::string& name) { return look_up(variables, name); });
        });
        if (trouble) return log_line(*trouble);
        const Beginning beginning = begin(connection);
        const pid_t pid = ::fork();
        if (pid < 0) {
            log_line("unable to fork: " + errno_text(errno));
            return turn_away(connection, peer, our_trouble);
        }
        if (pid == 0) ::_exit(serve_child(connection, *client, variables, beginning));
        children_.emplace(pid, Child{peer.ip});
        ++per_ip_[neighbourhood(peer.ip)];
        part_from_many_children();
    }

    // The client hears the greeting before the fork: while it answers, the child comes to life, and need not wait for it. Nothing
    // else is said here, for nothing that a client sends is read in this process.
    Beginning begin(int connection) {
        if (options_.tls) return Beginning::tls;
        const std::string line = settings_->last().opening() + "\r\n";
        if (line.size() > reply_limit) return Beginning::greeting;
        const ssize_t sent = ::send(connection, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent == static_cast<ssize_t>(line.size()) ? Beginning::greeted : Beginning::greeting;
    }

    void part_from_many_children() {
        family_begins_ = std::min(family_begins_, children_.size());
        if (children_.size() < family_begins_ + largest_family) return;
        part_from_children();
        family_begins_ = children_.size();
    }

    // The child: nothing of the acceptor's is left open but the log.
    int serve_child(int connection, const Client& client, const Variables& variables, Beginning beginning) {
        try {
            FamilyMemory::begin_child();
            EventLoop::restore_signals();
            ::signal(SIGHUP, SIG_IGN);
            // Only a program that may be run could see them.
            if (!confined_) export_variables(variables);
            if (::dup2(connection, STDIN_FILENO) < 0 || ::dup2(connection, STDOUT_FILENO) < 0)
                throw_errno("move", "a connection");
            ::close_range(STDERR_FILENO + 1, ~0U, 0);
            set_process_title("qmail-smtpd", {client.ip});
            serve(home_, settings_->last(), *policy_, client, tls_, beginning, offers_->known());
            return 0;
        } catch (const std::exception& error) {
            log_line(error.what());
            return static_cast<int>(Exit::temporary);
        }
    }

    // As tcpserver sets them.
    Variables connection_variables(const net::Endpoint& local, const net::Endpoint& peer) const {
        Variables all = {{"PROTO", peer.is_v6() ? "TCP6" : "TCP"}};
        for (const std::string prefix : {"TCP", "TCP6"}) {
            all.emplace_back(prefix + "LOCALIP", local.ip);
            all.emplace_back(prefix + "LOCALPORT", std::to_string(local.port));
            all.emplace_back(prefix + "LOCALHOST", settings_->last().me);
            all.emplace_back(prefix + "REMOTEIP", peer.ip);
            all.emplace_back(prefix + "REMOTEPORT", std::to_string(peer.port));
            if (!peer.is_v6()) break;
        }
        return all;
    }

    // A signal names one child; it stands for all that ended before it was read. wait(2) for any child would look at
    // every idle session each time, so the others are asked for one by one, now and then.
    void watch_children() {
        sigset_t only;
        sigemptyset(&only);
        sigaddset(&only, SIGCHLD);
        if (::sigprocmask(SIG_BLOCK, &only, nullptr) != 0) throw_errno("block", "signals");
        child_signals_ = Fd(::signalfd(-1, &only, SFD_CLOEXEC | SFD_NONBLOCK));
        if (!child_signals_) throw_errno("create", "a signal descriptor");
        loop_.add(child_signals_.get(), EPOLLIN, [this](std::uint32_t) {
            signalfd_siginfo info{};
            while (::read(child_signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
                reap(static_cast<pid_t>(info.ssi_pid));
                ended_ = true;
            }
            if (ended_ && !sweep_planned_) plan_sweep();
        });
    }

    // As long as children end, and once more after the last one.
    void plan_sweep() {
        sweep_planned_ = true;
        ended_ = false;
        loop_.after(sweep_interval, [this] {
            sweep_planned_ = false;
            sweep();
            if (ended_) plan_sweep();
        });
    }

    void sweep() {
        last_sweep_ = Clock::now();
        std::vector<pid_t> all;
        all.reserve(children_.size());
        for (const auto& [pid, child] : children_) all.push_back(pid);
        for (const pid_t pid : all) reap(pid);
    }

    // Before somebody is turned away because of those who have gone.
    void sweep_unless_fresh() {
        if (Clock::now() - last_sweep_ > sweep_pause) sweep();
    }

    void reap(pid_t pid) {
        const auto child = children_.find(pid);
        int status = 0;
        if (child == children_.end() || ::waitpid(pid, &status, WNOHANG) != pid) return;
        if (is_crash(status)) {
            log_line("child " + std::to_string(pid) + " serving " + child->second.ip + " died by signal " +
                     std::to_string(WTERMSIG(status)));
            stop(acceptor_saw_crash);
        }
        const auto count = per_ip_.find(neighbourhood(child->second.ip));
        if (--count->second == 0) per_ip_.erase(count);
        children_.erase(child);
    }

    EventLoop loop_;
    std::optional<control::DirectoryWatch> directories_;
    control::Home home_;
    const ListenerOptions& options_;
    std::optional<WatchedRules> rules_;
    std::unique_ptr<WatchedSettings> settings_;
    std::unique_ptr<Policy> policy_;
    std::optional<KeptOffers> offers_;
    std::unordered_map<pid_t, Child> children_;
    std::unordered_map<std::string, std::size_t> per_ip_;
    Fd child_signals_;
    bool ended_ = false;  // since the last sweep was planned
    bool sweep_planned_ = false;
    Clock::time_point last_sweep_{};
    keyd::ServerTls tls_{home_};
    std::size_t family_begins_ = 0;  // so many children share no memory with us
    Fd certificates_;
    bool trouble_was_logged_ = false;
    bool confined_ = false;
    int exit_code_ = 0;
};

}  // namespace

void check_readable(const control::Home& home, const ListenerOptions& options) {
    Settings::read(home);
    Policy(home).refresh();
    if (options.rules) tcprules::RulesFile rules(*options.rules);
}

int run_acceptor(const control::Home& home, const ListenerOptions& options) {
    // execve from /proc/self/exe has named it "exe".
    set_process_name("qmail-smtpd");
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    move_text_to_huge_pages();
    tls::use_family_memory();
    return Acceptor(home, options).run();
}

}  // namespace relais::smtpd
