// tls_client PORT RECIPIENT starttls|implicit new|resumed CLIENTS SECONDS: the load of bench/tls_bench.py.
// CLIENTS processes connect to 127.0.0.1 again and again, each for one message by TLS: EHLO, STARTTLS, EHLO
// (or TLS from the first octet and EHLO), MAIL, RCPT, DATA, QUIT and the end of TLS. They do nothing else, so
// that what is measured is the server. Prints "NAME VALUE" lines: sessions a second, which part was resumed,
// microseconds of CPU for each in the client. Exit code 1 where a reply is not what it should be.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <new>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "tls/openssl.h"

namespace {

using namespace relais;

constexpr std::chrono::seconds patience{60};

struct Task {
    in_port_t port = 0;
    std::string recipient;
    bool implicit = false;
    bool resume = false;
    Deadline end = Deadline::never();
};

// Shared by all clients.
struct Counts {
    std::atomic<std::uint64_t> sessions;
    std::atomic<std::uint64_t> resumed;
    std::atomic<std::uint64_t> failed;
};

[[noreturn]] void fail(const std::string& what) {
    throw Error(Reaction::temporary, what);
}

tls::SslCtxPtr make_context() {
    tls::initialise();
    tls::SslCtxPtr context(SSL_CTX_new(TLS_client_method()));
    if (!context) fail("unable to prepare TLS");
    // With OpenSSL's own cache a session of TLS 1.3 would be good for one connection only.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    return context;
}

Fd connect_to(in_port_t port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const timeval limit{patience.count(), 0};
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno("connect to", "the server");
    return fd;
}

class Conversation {
  public:
    // session: what is resumed, if anything; then what this one can be resumed with.
    Conversation(const Task& task, SSL_CTX* context, tls::SessionPtr& session)
        : task_(task), context_(context), session_(session), fd_(connect_to(task.port)) {}

    // True if the session of TLS was resumed.
    bool run() {
        if (task_.implicit) start_tls();
        expect("220");
        if (!task_.implicit) {
            say("EHLO bench.test\r\n", "250");
            say("STARTTLS\r\n", "220");
            start_tls();
        }
        say("EHLO bench.test\r\n", "250");
        say("MAIL FROM:<a@b.example>\r\n", "250");
        say("RCPT TO:<" + task_.recipient + ">\r\n", "250");
        say("DATA\r\n", "354");
        static const std::string message = "Subject: x\r\n\r\n" + std::string(70, 'x') + "\r\n.\r\n";
        say(message, "250");
        say("QUIT\r\n", "221");
        SSL_shutdown(ssl_.get());
        // The ticket of TLS 1.3 came behind the handshake.
        session_.reset(SSL_get1_session(ssl_.get()));
        return SSL_session_reused(ssl_.get()) == 1;
    }

  private:
    void start_tls() {
        ssl_.reset(SSL_new(context_));
        if (!ssl_ || SSL_set_fd(ssl_.get(), fd_.get()) != 1) fail("unable to prepare TLS");
        if (task_.resume && session_) SSL_set_session(ssl_.get(), session_.get());
        if (SSL_connect(ssl_.get()) != 1) fail("handshake: " + tls::take_errors("closed"));
    }

    void say(const std::string& line, std::string_view code) {
        if (!ssl_)
            write_all(fd_.get(), line, Deadline::in(patience));
        else if (SSL_write(ssl_.get(), line.data(), static_cast<int>(line.size())) <= 0)
            fail("write: " + tls::take_errors("closed"));
        expect(code);
    }

    void expect(std::string_view code) {
        std::size_t have = 0;
        while (!is_whole({buffer_.data(), have})) {
            const std::size_t room = buffer_.size() - have;
            const long count = ssl_ ? SSL_read(ssl_.get(), buffer_.data() + have, static_cast<int>(room))
                                    : ::recv(fd_.get(), buffer_.data() + have, room, 0);
            if (count <= 0) fail("the server closed before " + std::string(code));
            have += static_cast<std::size_t>(count);
        }
        const std::string_view reply(buffer_.data(), have);
        if (!reply.starts_with(code)) fail("expected " + std::string(code) + ", got " + std::string(reply));
    }

    // The last line of a reply has a blank behind its code.
    static bool is_whole(std::string_view text) {
        if (!text.ends_with('\n')) return false;
        const std::size_t before = text.find_last_of('\n', text.size() - 2);
        const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
        return text.size() > start + 4 && text[start + 3] == ' ';
    }

    const Task& task_;
    SSL_CTX* context_;
    tls::SessionPtr& session_;
    Fd fd_;
    tls::SslPtr ssl_;
    std::array<char, 4096> buffer_{};
};

int run_client(const Task& task, Counts& counts) {
    try {
        const tls::SslCtxPtr context = make_context();
        tls::SessionPtr session;
        while (!task.end.passed()) {
            const bool resumed = Conversation(task, context.get(), session).run();
            ++counts.sessions;
            if (resumed) ++counts.resumed;
        }
        return 0;
    } catch (const std::exception& error) {
        log_line(error.what());
        ++counts.failed;
        return 1;
    }
}

double cpu_of_children() {
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

int run(const Arguments& arguments) {
    const auto number = [&](std::size_t i) { return parse_number(arguments[i]).value_or(0); };
    if (arguments.size() != 6)
        throw_permanent("usage: tls_client PORT RECIPIENT starttls|implicit new|resumed CLIENTS SECONDS");
    Task task{static_cast<in_port_t>(number(0)), arguments[1], arguments[2] == "implicit",
              arguments[3] == "resumed"};
    void* const memory =
        ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw_errno("map", "counters");
    auto& counts = *new (memory) Counts{};
    const auto begin = Clock::now();
    task.end = Deadline(begin + std::chrono::seconds(number(5)));
    for (std::uint64_t i = 0; i < number(4); ++i)
        if (::fork() == 0) ::_exit(run_client(task, counts));
    while (::wait(nullptr) > 0) continue;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const auto sessions = static_cast<double>(counts.sessions);
    if (counts.failed > 0 || sessions == 0) return 1;
    std::printf("rate %.1f\nresumed %.3f\nclient_cpu %.0f\n", sessions / seconds,
                static_cast<double>(counts.resumed) / sessions, cpu_of_children() / sessions);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("tls_client", argc, argv, run);
}
