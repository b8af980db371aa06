#include "pop3/tls_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/error.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/text.h"
#include "control/cages.h"
#include "control/owners.h"

namespace relais::pop3 {
namespace {

constexpr std::chrono::seconds handshake_limit{60};
constexpr int client = 3;
constexpr int server = 4;

// Octets on their way in one direction, and whether more may come.
struct Direction {
    std::array<char, 16384> buffer;
    std::size_t begin = 0;
    std::size_t end = 0;
    bool ended = false;

    bool empty() const { return begin == end; }
    std::string_view waiting() const { return {buffer.data() + begin, end - begin}; }
    void put(std::size_t count) {
        begin = 0;
        end = count;
    }
};

// Both directions, until one side has ended and what it said before is delivered. Neither waits for the
// other.
class Pump {
  public:
    explicit Pump(tls::Connection& connection) : connection_(connection) {}

    void run() {
        while (!(down_.ended && down_.empty())) {
            client_events_ = server_events_ = 0;
            bool moved = read_client();
            moved = write_server() || moved;
            moved = read_server() || moved;
            moved = write_client() || moved;
            if (moved) continue;
            pollfd entries[] = {{client, client_events_, 0}, {server, server_events_, 0}};
            if (::poll(entries, 2, -1) < 0 && errno != EINTR) throw_errno("wait for", "the client");
        }
    }

  private:
    void note(Transport::Wants wants) {
        if (wants == Transport::Wants::read) client_events_ |= POLLIN;
        if (wants == Transport::Wants::write) client_events_ |= POLLOUT;
    }

    bool read_client() {
        if (up_.ended || !up_.empty()) return false;
        const Transport::Progress progress = connection_.try_read(up_.buffer);
        note(progress.wants);
        up_.put(progress.count);
        up_.ended = progress.ended;
        if (up_.ended) ::shutdown(server, SHUT_WR);
        return progress.count > 0 || progress.ended;
    }

    bool write_server() {
        if (up_.empty()) return false;
        const std::string_view text = up_.waiting();
        const ssize_t count = ::send(server, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN && errno != EINTR) throw_errno("write to", "the session");
        if (count <= 0) server_events_ |= POLLOUT;
        if (count > 0) up_.begin += static_cast<std::size_t>(count);
        return count > 0;
    }

    bool read_server() {
        if (down_.ended || !down_.empty()) return false;
        const ssize_t count = ::recv(server, down_.buffer.data(), down_.buffer.size(), MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN && errno != EINTR) throw_errno("read from", "the session");
        if (count < 0) server_events_ |= POLLIN;
        down_.ended = count == 0;
        down_.put(count > 0 ? static_cast<std::size_t>(count) : 0);
        return count >= 0;
    }

    bool write_client() {
        if (down_.empty()) return false;
        const Transport::Progress progress = connection_.try_write(down_.waiting());
        note(progress.wants);
        down_.begin += progress.count;
        return progress.count > 0;
    }

    tls::Connection& connection_;
    Direction up_;    // from the client
    Direction down_;  // to the client
    short client_events_ = 0;
    short server_events_ = 0;
};

// Descriptors 3 and 4 alone, as qmaild: what speaks with the network has nothing of root's.
void settle(const control::Home& home, int connection, int pair) {
    const Fd first(::fcntl(connection, F_DUPFD_CLOEXEC, 10));
    const Fd second(::fcntl(pair, F_DUPFD_CLOEXEC, 10));
    if (!first || !second || ::dup2(first.get(), client) < 0 || ::dup2(second.get(), server) < 0)
        throw_errno("place", "a descriptor");
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) ::close(fd);
    ::close_range(server + 1, ~0U, 0);
    if (::geteuid() == 0) control::become(control::Owners::read(home), control::Role::qmaild);
    control::enter(control::popup_cage, home);
}

int serve(const control::Home& home, keyd::ServerTls& tls, int connection, int pair) {
    const std::string ip = safe_for_log(environment("TCPREMOTEIP", "unknown"));
    try {
        settle(home, connection, pair);
        const auto encrypted = tls.accept(client, Deadline::in(handshake_limit));
        log_line("TLS from " + ip + ": " + encrypted->description().version + "/" +
                 encrypted->description().cipher);
        Pump(*encrypted).run();
        encrypted->shut_down();
        return 0;
    } catch (const tls::HandshakeFailed& failed) {
        log_line("refused " + ip + ": " + failed.what());
    } catch (const Error& error) {
        // A client that only closes is none of our troubles.
        if (error.number() != ECONNABORTED && error.number() != ECONNRESET && error.number() != EPIPE)
            log_line(ip + ": " + error.what());
    }
    return static_cast<int>(Exit::temporary);
}

}  // namespace

void put_tls_before_client(const control::Home& home, keyd::ServerTls& tls) {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0) throw_errno("make", "a socket pair");
    const Fd ours(both[0]);
    const Fd theirs(both[1]);
    const pid_t child = ::fork();
    if (child < 0) throw_errno("fork for", "TLS");
    if (child == 0) ::_exit(serve(home, tls, STDIN_FILENO, theirs.get()));
    if (::dup2(ours.get(), STDIN_FILENO) < 0 || ::dup2(ours.get(), STDOUT_FILENO) < 0)
        throw_errno("move", "a socket");
}

}  // namespace relais::pop3
