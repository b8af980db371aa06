#include "explain/dns.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/unix_socket.h"
#include "send/layout.h"

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

[[noreturn]] void become_resolver(const std::string& program, int listening, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int quiet = ::open("/dev/null", O_RDWR);
    if (::getppid() == parent && quiet >= 0 && ::dup2(quiet, STDIN_FILENO) >= 0 &&
        ::dup2(quiet, STDERR_FILENO) >= 0) {
        if (listening == send::resolver_socket)
            ::fcntl(listening, F_SETFD, 0);
        else
            ::dup2(listening, send::resolver_socket);
        ::close_range(send::resolver_socket + 1, ~0U, 0);
        ::execl(program.c_str(), "qmail-resolver", static_cast<char*>(nullptr));
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
    if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        trouble_ = "qmail-resolver does not run, and one of our own could not start (are you root?)";
    }
    return trouble_;
}

Fd Dns::start(const control::Home& home) {
    const std::string program = home.program("qmail-resolver");
    Channel channel = make_channel();
    const pid_t self = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("fork", "qmail-resolver");
    if (pid_ == 0) become_resolver(program, channel.listening.get(), self);
    return std::move(channel.connected);
}

}  // namespace relais::explain
