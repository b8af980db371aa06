#include "explain/dns.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/unix_socket.h"
#include "control/owners.h"
#include "start/daemons.h"

namespace relais::explain {
namespace {

// A listening socket under a name that the kernel chooses, outside the file system, and a connection to it.
struct Channel {
    Fd listening;
    Fd connected;
};

Channel make_channel() {
    Channel channel{Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                    Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(sa_family_t);
    if (!channel.listening || !channel.connected || ::bind(channel.listening.get(), generic, size) != 0 ||
        ::listen(channel.listening.get(), 1) != 0)
        throw_errno("make", "a socket");
    size = sizeof address;
    if (::getsockname(channel.listening.get(), generic, &size) != 0 ||
        ::connect(channel.connected.get(), generic, size) != 0)
        throw_errno("connect to", "a socket");
    return channel;
}

// Should this process be killed, nobody else ends its resolver; no question takes that long.
constexpr unsigned longest_life_seconds = 900;

void place(int listening) {
    if (listening == start::listening("resolver")) {
        ::fcntl(listening, F_SETFD, 0);
        return;
    }
    if (::dup2(listening, start::listening("resolver")) < 0) throw_errno("place", "a descriptor");
}

// In an instance of one ordinary user the program is that user's, and never run by root.
[[noreturn]] void become_resolver(const control::Owners& owners, const std::string& program, int listening) {
    try {
        const int quiet = ::open("/dev/null", O_RDWR);
        if (quiet < 0 || ::dup2(quiet, STDIN_FILENO) < 0 || ::dup2(quiet, STDERR_FILENO) < 0)
            throw_errno("open", "/dev/null");
        place(listening);
        ::close_range(start::listening("resolver") + 1, ~0U, 0);
        if (owners.single()) control::become(owners, control::Role::qmailn);
        ::alarm(longest_life_seconds);
        ::execl(program.c_str(), "qmail-resolver", static_cast<char*>(nullptr));
    } catch (const std::exception&) {
        // Dns::trouble tells that it has ended.
    }
    ::_exit(111);
}

}  // namespace

Dns::Dns(const control::Home& home) {
    Fd connected;
    try {
        connected = connect_unix(home.socket("resolver"), Deadline::in(Seconds(5)));
        source_ = "qmail-resolver of this instance";
    } catch (const Error&) {
        try {
            connected = start(home);
            source_ = "a qmail-resolver started for this question";
        } catch (const Error& error) {
            trouble_ = error.what();
        }
    }
    resolver_ = std::make_unique<net::Resolver>(home, std::move(connected));
}

Dns::~Dns() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

std::string Dns::trouble() {
    if (pid_ <= 0) return trouble_;
    // Its end of the connection is closed a moment before it has ended.
    const Fd ended(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (ended && wait_readable(ended.get(), Deadline::in(Seconds(1))) &&
        ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        trouble_ = "qmail-resolver does not run, and one of our own could not start (are you root?)";
    }
    return trouble_;
}

Fd Dns::start(const control::Home& home) {
    const std::string program = home.program("qmail-resolver");
    Channel channel = make_channel();
    const auto owners = control::Owners::read(home);
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("fork", "qmail-resolver");
    if (pid_ == 0) become_resolver(owners, program, channel.listening.get());
    return std::move(channel.connected);
}

}  // namespace relais::explain
