#include "listen/filter_runner.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "control/owners.h"
#include "queue/filter_process.h"
#include "queue/filter_protocol.h"

namespace relais::listen {
namespace {

using queue::FilterNews;
using queue::FilterWord;

// Exit codes of a runner; after any other end the next one begins after a pause.
constexpr int idle = 0;
constexpr int left_alone = 10;  // no keeper, no acceptor, no session

constexpr std::chrono::seconds idle_limit{60};
constexpr unsigned pause_after_death = 1;
constexpr int channel_place = STDERR_FILENO + 1;

class Runner {
  public:
    Runner(int channel, control::Home home, std::string_view variable)
        : channel_(channel), home_(std::move(home)), variable_(variable) {
        if (::getrlimit(RLIMIT_NOFILE, &limit_) == 0) {
            const rlimit raised{limit_.rlim_max, limit_.rlim_max};
            ::setrlimit(RLIMIT_NOFILE, &raised);
        }
        set_nonblocking(channel_, true);
        loop_.add(channel_, EPOLLIN, [this](std::uint32_t) { meet(); });
        loop_.on_signal(SIGCHLD, [this] { reap(); });
        plan_end();
    }

    int run() {
        loop_.run();
        return alone_ ? left_alone : idle;
    }

  private:
    struct Client {
        Fd channel;
        Variables variables;
        Fd message{};
        Fd envelope{};
        pid_t program = -1;
        bool gone = false;  // its session has ended
    };
    using Clients = std::unordered_map<int, Client>;

    // The acceptor's word.
    void meet() {
        std::optional<Packet> packet;
        try {
            packet = receive_packet(channel_, visitor_limit);
        } catch (const Error& error) {
            if (error.number() == EAGAIN) return;
            throw;
        }
        if (!packet) {
            alone_ = true;
            loop_.remove(channel_);
            return end_if_alone();
        }
        if (!packet->passed) return;
        const Visitor visitor = decode_visitor(packet->data);
        const int number = packet->passed.get();
        set_nonblocking(number, true);
        clients_[number] = {std::move(packet->passed), variables_of(visitor, visitor.note)};
        loop_.add(number, EPOLLIN, [this, number](std::uint32_t) { listen_to(number); });
        busy_ = true;
    }

    // A session's word. One that says anything else than it may is given up.
    void listen_to(int number) {
        Client& client = clients_.at(number);
        try {
            auto packet = receive_packet(number, queue::filter_request_limit);
            if (packet && take(client, std::move(*packet))) return;
        } catch (const Error& error) {
            if (error.number() == EAGAIN) return;
        }
        loop_.remove(number);
        client.gone = true;
        if (client.program > 0)
            ::kill(client.program, SIGKILL);
        else
            forget(number);
    }

    bool take(Client& client, Packet packet) {
        const auto request = queue::decode_filter_request(packet.data);
        if (!request) return false;
        if (request->word == FilterWord::kill) {
            if (client.program > 0) ::kill(client.program, SIGKILL);
            return true;
        }
        if (!packet.passed || client.program > 0) return false;
        if (request->word == FilterWord::message) client.message = std::move(packet.passed);
        if (request->word == FilterWord::envelope) client.envelope = std::move(packet.passed);
        if (request->word != FilterWord::run) return true;
        return client.message && client.envelope && start(client, packet.passed, request->extension);
    }

    bool start(Client& client, const Fd& text, std::string_view extension) {
        const Fd message = std::move(client.message), envelope = std::move(client.envelope);
        const pid_t pid = ::fork();
        if (pid == 0)
            become_program(client, std::string(extension), {message.get(), envelope.get(), text.get()});
        if (pid < 0) log_line("unable to fork a filter: " + errno_text(errno));
        if (pid > 0) client.program = pid;
        return tell(client, FilterNews::started, static_cast<std::uint32_t>(std::max(pid, 0)));
    }

    [[noreturn]] void become_program(const Client& client, const std::string& extension,
                                     const queue::FilterEnds& ends) const {
        EventLoop::restore_signals();
        const std::string of_environment = environment(std::string(variable_).c_str(), "");
        ::setrlimit(RLIMIT_NOFILE, &limit_);
        for (const char* name : {"TCPREMOTEHOST", "TCPREMOTEINFO", "TCP6REMOTEHOST", "TCP6REMOTEINFO"})
            ::unsetenv(name);
        for (const auto& [name, value] : client.variables) ::setenv(name.c_str(), value.c_str(), 1);
        queue::execute_filter(home_.directory(), program_named(variable_, client.variables, of_environment),
                              extension, ends);
    }

    static bool tell(const Client& client, FilterNews news, std::uint32_t number) {
        return send_packet(client.channel.get(), encode(queue::FilterAnswer{news, number}));
    }

    void reap() {
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            for (auto& [number, client] : clients_) {
                if (client.program != pid) continue;
                client.program = -1;
                ended(number, client, status);
                break;
            }
        }
    }

    void ended(int number, const Client& client, int status) {
        try {
            if (!client.gone) tell(client, FilterNews::ended, static_cast<std::uint32_t>(status));
        } catch (const Error&) {
            // A session that does not read its answers has a full socket; it sees their end some day.
        }
        if (client.gone) forget(number);
    }

    void forget(int number) {
        clients_.erase(number);
        end_if_alone();
    }

    void end_if_alone() {
        if (alone_ && clients_.empty()) loop_.stop();
    }

    void plan_end() {
        loop_.after(idle_limit, [this] {
            if (clients_.empty() && !busy_) return loop_.stop();
            busy_ = false;
            plan_end();
        });
    }

    int channel_;
    control::Home home_;
    std::string_view variable_;
    rlimit limit_{};
    EventLoop loop_;
    Clients clients_;  // by the number of their channel
    bool busy_ = false;
    bool alone_ = false;
};

// Who is not root stays who he is.
void become_filter(const control::Home& home) {
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (::geteuid() != 0) return;
    const control::Owners owners = control::Owners::read(home);
    control::warn_of_missing(owners, {control::Role::qmailf});
    control::become(owners, control::Role::qmailf);
}

[[noreturn]] void become_runner(int channel, const control::Home& home, std::string_view variable) {
    int code = static_cast<int>(Exit::temporary);
    try {
        become_filter(home);
        code = Runner(channel, home, variable).run();
    } catch (const std::exception& error) {
        log_line(std::string("runner of filters: ") + error.what());
    }
    ::_exit(code);
}

// Nothing waits there, and nobody will say anything.
bool nobody_left(int channel, int events) {
    int waiting = 0;
    return (events & POLLHUP) != 0 && ::ioctl(channel, FIONREAD, &waiting) == 0 && waiting == 0;
}

// Ends when the runner has said that there is nobody left.
[[noreturn]] void guard(int channel, const control::Home& home, std::string_view variable) {
    for (;;) {
        pollfd entry{channel, POLLIN, 0};
        if (::poll(&entry, 1, -1) < 0) continue;
        if (nobody_left(channel, entry.revents)) ::_exit(0);
        const pid_t runner = ::fork();
        if (runner == 0) become_runner(channel, home, variable);
        int status = 0;
        while (runner > 0 && ::waitpid(runner, &status, 0) < 0 && errno == EINTR) {
        }
        const bool well = runner > 0 && WIFEXITED(status);
        if (well && WEXITSTATUS(status) == left_alone) ::_exit(0);
        if (well && WEXITSTATUS(status) == idle) continue;
        log_line("the runner of filters has died, starting it again");
        ::sleep(pause_after_death);
    }
}

// Whose an instance of one user is, whoever has started it.
void become_one_user(const control::Home& home) {
    const control::Owners owners = control::Owners::read(home);
    if (owners.single()) control::become(owners, control::Role::qmailf);
}

}  // namespace

Fd start_filter_guardian(std::string_view service, const control::Home& home, std::string_view variable) {
    auto [ours, theirs] = make_packet_pair();
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork", "the guardian of filters");
    if (pid > 0) return std::move(ours);
    try {
        become_one_user(home);
        if (::dup2(theirs.get(), channel_place) < 0 || ::close_range(channel_place + 1, ~0U, 0) != 0)
            throw_errno("place", "a descriptor");
        set_close_on_exec(channel_place, true);
    } catch (const std::exception& error) {
        log_line(std::string("guardian of filters: ") + error.what());
        ::_exit(static_cast<int>(Exit::temporary));
    }
    ::signal(SIGHUP, SIG_IGN);
    set_process_title(service, {"filters"});
    guard(channel_place, home, variable);
}

Fd introduce(int runner, const Visitor& visitor, const std::string& name) {
    auto [ours, theirs] = make_packet_pair();
    Visitor introduced = visitor;
    introduced.note = name;
    if (!send_packet(runner, encode(introduced), theirs.get()))
        throw_errno("speak to", "the guardian of filters", EPIPE);
    return std::move(ours);
}

std::string program_named(std::string_view variable, const Variables& variables,
                          std::string_view of_environment) {
    const auto found = std::find_if(variables.rbegin(), variables.rend(),
                                    [&](const auto& each) { return each.first == variable; });
    return found != variables.rend() ? found->second : std::string(of_environment);
}

}  // namespace relais::listen
