#include "pop3/listener.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/accept.h"
#include "base/error.h"
#include "base/event_loop.h"
#include "base/program.h"
#include "base/text.h"
#include "listen/places.h"
#include "listen/send_line.h"
#include "net/socket.h"
#include "pop3/crowd.h"
#include "pop3/opening.h"
#include "pop3/own_session.h"

namespace relais::pop3 {
namespace {

constexpr std::chrono::seconds pause_after_trouble{1};

class Listener {
  public:
    Listener(const control::Home& home, const listen::Options& options)
        : home_(home), options_(options), places_(options.connection_limit) {
        for (const listen::Options::Place& place : options.places)
            sockets_.push_back(net::listen_tcp(place.address));
        for (std::size_t i = 0; i < sockets_.size(); ++i)
            if (options.places[i].address.port == 0)
                std::printf("%s\n", net::local_endpoint(sockets_[i].get()).text().c_str());
        std::fflush(stdout);
        for (const Fd& socket : sockets_)
            loop_.add(socket.get(), EPOLLIN, [this, fd = socket.get()](std::uint32_t) { accept(fd); });
        loop_.on_signal(SIGTERM, [this] { loop_.stop(); });
        loop_.on_signal(SIGCHLD, [this] { reap(); });
    }

    void run() { loop_.run(); }

  private:
    void accept(int socket) {
        errno = 0;
        const bool all = accept_waiting(
            socket, [this] { return !resting_; }, [this](Fd client) { admit(std::move(client)); });
        // Nothing was there, or no descriptor is left: then the clients wait in the backlog.
        if (all && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
            rest("accept a client: " + errno_text(errno));
    }

    void rest(const std::string& why) {
        log_line("unable to " + why);
        if (std::exchange(resting_, true)) return;
        for (const Fd& socket : sockets_) loop_.change(socket.get(), 0);
        loop_.after(pause_after_trouble, [this] {
            resting_ = false;
            for (const Fd& socket : sockets_) loop_.change(socket.get(), EPOLLIN);
        });
    }

    void admit(Fd client) {
        net::SocketAddress address;
        if (::getpeername(client.get(), address.get(), &address.size) != 0) return;  // it has left again
        const net::Endpoint peer = net::to_endpoint(address);
        try {
            if (places_.full()) return turn_away(client, peer, "all places are taken");
            const std::size_t limit = options_.address_limit > 0
                                          ? options_.address_limit
                                          : limit_of_one(home_, peer.ip, options_.connection_limit);
            if (places_.full_for(peer.ip, limit)) {
                log_line(too_many_line(peer.ip, limit, source_of_limit()));
                if (!options_.tls) listen::send_line(client.get(), std::string(too_many_answer));
                return;
            }
        } catch (const Error& error) {
            return turn_away(client, peer, error.what());
        }
        places_.take(peer.ip);
        start(std::move(client), peer);
    }

    std::string source_of_limit() const {
        if (options_.address_limit > 0) return "--per-ip";
        return environment("PERIP", "").empty() ? "control/perip" : "PERIP";
    }

    void turn_away(const Fd& client, const net::Endpoint& peer, const std::string& why) {
        log_line("refused a client from " + peer.ip + ": " + why);
        if (!options_.tls)
            listen::send_line(client.get(), "-ERR [SYS/TEMP] the server is busy, try again later");
    }

    void start(Fd client, const net::Endpoint& peer) {
        const bool scarce = places_.scarce();
        const pid_t pid = ::fork();
        if (pid == 0) {
            EventLoop::restore_signals();
            run_own_session(home_, {client.get(), peer, options_.tls, scarce});
        }
        if (pid > 0) {
            sessions_[pid] = peer.ip;
            return;
        }
        const std::string why = "fork: " + errno_text(errno);
        places_.release(peer.ip);
        turn_away(client, peer, why);
        rest(why);
    }

    void reap() {
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0;) {
            // The account's user may stop it, and it would keep its place for ever.
            if (WIFSTOPPED(status)) {
                ::kill(pid, SIGKILL);
                continue;
            }
            const auto session = sessions_.find(pid);
            if (session == sessions_.end()) continue;
            if (WIFSIGNALED(status))
                log_line("alert: the session of " + session->second + " ended with signal " +
                         std::to_string(WTERMSIG(status)));
            places_.release(session->second);
            sessions_.erase(session);
        }
    }

    const control::Home& home_;
    const listen::Options& options_;
    listen::Places places_;
    EventLoop loop_;
    std::vector<Fd> sockets_;
    std::unordered_map<pid_t, std::string> sessions_;  // with the address that each has its place for
    bool resting_ = false;
};

}  // namespace

void run_listener(const control::Home& home, const listen::Options& options) {
    Listener(home, options).run();
}

}  // namespace relais::pop3
