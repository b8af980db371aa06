// smtp_client PORT RECIPIENT clear|starttls|implicit new|resumed CLIENTS SECONDS [ADDRESSES]: a load of one
// message a connection, for what smtp-source of Postfix cannot: TLS, and many client addresses.
// CLIENTS processes connect to 127.0.0.1 again and again, each for one message of 5,000 octets: EHLO
// (STARTTLS, EHLO, or TLS from the first octet), MAIL, RCPT, DATA, QUIT and the end of TLS. They do nothing
// else, so that what is measured is the server. Their connections come in turns from ADDRESSES addresses of
// 127.2.0.0/16 (without it from 127.0.0.1). Prints "NAME VALUE" lines: sessions a second, which part was
// resumed, microseconds of CPU for each in the client. Exit code 1 where a reply is not what it should be.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <map>
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

constexpr std::uint64_t most_addresses = 250 * 250;

enum class Way { clear, starttls, implicit };

struct Task {
    in_port_t port = 0;
    std::string recipient;
    Way way = Way::clear;
    bool resume = false;
    std::uint64_t addresses = 0;
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

std::string make_message() {
    std::string text = "Subject: measured\r\n\r\n";
    while (text.size() < 5000 - 72) text.append(70, 'x').append("\r\n");
    return text + ".\r\n";
}

in_addr_t source_address(std::uint64_t number) {
    const std::uint64_t host = (number / 250) << 8 | (1 + number % 250);
    return htonl(static_cast<in_addr_t>((127U << 24 | 2U << 16) + host));
}

Fd connect_to(in_port_t port, in_addr_t source) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const timeval limit{patience.count(), 0};
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = source;
    if (source != 0 && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno("bind to", "a client's address");
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw_errno("connect to", "the server");
    return fd;
}

class Conversation {
  public:
    // session: what is resumed, if anything; then what this one can be resumed with.
    Conversation(const Task& task, SSL_CTX* context, tls::SessionPtr& session, in_addr_t source)
        : task_(task), context_(context), session_(session), fd_(connect_to(task.port, source)) {}

    // True if the session of TLS was resumed.
    bool run() {
        if (task_.way == Way::implicit) start_tls();
        expect("220");
        if (task_.way == Way::starttls) {
            say("EHLO bench.test\r\n", "250");
            say("STARTTLS\r\n", "220");
            start_tls();
        }
        say("EHLO bench.test\r\n", "250");
        say("MAIL FROM:<a@b.example>\r\n", "250");
        say("RCPT TO:<" + task_.recipient + ">\r\n", "250");
        say("DATA\r\n", "354");
        static const std::string message = make_message();
        say(message, "250");
        say("QUIT\r\n", "221");
        if (!ssl_) return false;
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

int run_client(const Task& task, std::uint64_t client, Counts& counts) {
    try {
        const tls::SslCtxPtr context = make_context();
        tls::SessionPtr session;
        // Neighbouring numbers, so that no client of the others has the same address soon.
        for (std::uint64_t turn = client * 7919; !task.end.passed(); ++turn) {
            const in_addr_t source = task.addresses == 0 ? 0 : source_address(turn % task.addresses);
            const bool resumed = Conversation(task, context.get(), session, source).run();
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

Task parse_task(const Arguments& arguments) {
    const auto number = [&](std::size_t i) { return parse_number(arguments[i]).value_or(0); };
    const std::map<std::string_view, Way> ways{
        {"clear", Way::clear}, {"starttls", Way::starttls}, {"implicit", Way::implicit}};
    if (arguments.size() < 6 || arguments.size() > 7 || !ways.contains(arguments[2]))
        throw_permanent(
            "usage: smtp_client PORT RECIPIENT clear|starttls|implicit new|resumed CLIENTS SECONDS "
            "[ADDRESSES]");
    Task task{static_cast<in_port_t>(number(0)), arguments[1], ways.at(arguments[2]),
              arguments[3] == "resumed"};
    if (arguments.size() == 7) task.addresses = std::min(number(6), most_addresses);
    return task;
}

int run(const Arguments& arguments) {
    Task task = parse_task(arguments);
    const std::uint64_t clients = parse_number(arguments[4]).value_or(0);
    const std::chrono::seconds duration(parse_number(arguments[5]).value_or(0));
    void* const memory =
        ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw_errno("map", "counters");
    auto& counts = *new (memory) Counts{};
    const auto begin = Clock::now();
    task.end = Deadline(begin + duration);
    for (std::uint64_t i = 0; i < clients; ++i)
        if (::fork() == 0) ::_exit(run_client(task, i, counts));
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
    return run_program("smtp_client", argc, argv, run);
}
