#include "service/doctor.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/io.h"
#include "base/text.h"
#include "queue/store.h"
#include "service/command.h"
#include "service/inspect.h"
#include "service/supervision.h"
#include "tls/connection.h"

namespace relais::service {
namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
// A service that lives this long is not one that dies again and again.
constexpr std::int64_t settled_seconds = 3;

class Report {
  public:
    void good(const std::string& text) { std::puts(("ok     " + text).c_str()); }
    void note(const std::string& text) { std::puts(("note   " + text).c_str()); }
    void bad(const std::string& text, const std::string& remedy) {
        std::puts(("WRONG  " + text + "\n       -> " + remedy).c_str());
        code_ = 1;
    }
    int code() const { return code_; }

  private:
    int code_ = 0;
};

void look_at_files(const Plan& plan, Report& report) {
    const std::vector<Finding> findings = inspect(plan);
    for (const Finding& finding : findings)
        report.bad(finding.text,
                   finding.mend ? "qmail-setup --repair " + plan.home.directory() : "this needs you");
    if (findings.empty()) report.good("files, owners and modes are as they must be");
}

// What holds a channel to open-smtpd while it runs as the user who logs in must not be traced by that user.
void look_at_login_steps(const Plan& plan, Report& report) {
    const std::string program = plan.home.path("bin/open-smtp-allow");
    struct stat info {};
    if (::stat(program.c_str(), &info) != 0 || (info.st_mode & (S_IRGRP | S_IROTH)) == 0) return;
    report.bad(program + " can be read, so users could trace it and put other names on their logins",
               "chmod 0711 " + program);
}

void look_at_settings(const Plan& plan, Report& report) {
    const std::string program = plan.home.path("bin/qmail-showctl");
    if (::access(program.c_str(), X_OK) != 0) return;
    const CommandResult result = capture({program, "--check"}, Deadline::in(Seconds(30)));
    bool good = true;
    for (const std::string_view line : split(trim(result.output), '\n')) {
        if (line.find(": warning: ") == std::string_view::npos) {
            const std::size_t mark = line.find(": note: ");
            if (mark != std::string_view::npos)
                report.note(std::string(line.substr(0, mark + 2)) + std::string(line.substr(mark + 8)));
            continue;
        }
        good = false;
        report.bad(std::string(line), "qmail-showctl says so; mend the file in " + plan.home.directory());
    }
    if (good && !result.ok())
        report.bad("qmail-showctl: " + std::string(trim(result.output)), "this needs you");
    else if (good)
        report.good("control files make sense (qmail-showctl)");
}

std::string last_line_of_log(const Plan& plan, const std::string& service) {
    try {
        const auto text = read_file(plan.home.path("log/" + service + "/current"), 16 * mebibyte);
        if (!text || text->empty()) return "nothing";
        const std::string_view lines = trim(*text);
        const std::size_t start = lines.rfind('\n');
        return std::string(start == std::string_view::npos ? lines : lines.substr(start + 1));
    } catch (const Error& error) {
        return error.what();
    }
}

// The state of a service, seen until it has lived long enough or is another process than before.
ServiceState settled_state(const Plan& plan, const std::string& name) {
    const ServiceState first = service_state(plan, name);
    ServiceState state = first;
    wait_until(
        [&] {
            state = service_state(plan, name);
            return state.pid == 0 || state.pid != first.pid || state.seconds >= settled_seconds;
        },
        Deadline::in(Seconds(settled_seconds + 1)));
    return state;
}

void look_at_services(const Plan& plan, Report& report) {
    if (systemd_keeps(plan)) return report.good("systemd keeps it: systemctl status 'relais-*'");
    for (const std::string& name : service_names(plan)) {
        const ServiceState state = settled_state(plan, name);
        if (!state.supervised)
            report.bad(name + " is not supervised", "qmailctl start " + plan.home.directory());
        else if (state.pid == 0 && !state.wanted_up)
            report.bad(name + " is down", "qmailctl start " + plan.home.directory());
        else if (state.pid == 0 || state.seconds < settled_seconds)
            report.bad(name + " ends and is started again",
                       "its log ends with: " + last_line_of_log(plan, name));
        else
            report.good(fmt::format("{} is up, pid {}, {} s", name, state.pid, state.seconds));
    }
}

struct Addresses {
    addrinfo* first = nullptr;
    ~Addresses() {
        if (first != nullptr) ::freeaddrinfo(first);
    }
};

// Throws Error.
Fd connect_to(const std::string& address, unsigned port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    Addresses found;
    const int code = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found.first);
    if (code != 0) throw_permanent(::gai_strerror(code));
    Fd socket(::socket(found.first->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::connect(socket.get(), found.first->ai_addr, found.first->ai_addrlen) != 0)
        throw_permanent(errno_text(errno));
    return socket;
}

// The greeting of the server there, or what goes wrong on the way to it.
std::string greeting(const std::string& address, unsigned port) {
    try {
        const Fd socket = connect_to(address, port);
        Reader reader(socket.get());
        std::string line;
        reader.read_line(line, 1024, Deadline::in(Seconds(15)));
        return line.empty() ? "no greeting" : std::string(trim(line));
    } catch (const Error& error) {
        return error.what();
    }
}

// One that speaks TLS from the first octet: what it says once it speaks. Its certificate is qmail-showctl's business.
std::string encrypted_greeting(const std::string& address, unsigned port) {
    try {
        const Fd socket = connect_to(address, port);
        const Deadline deadline = Deadline::in(Seconds(15));
        const tls::ClientContext context;
        const auto connection = tls::connect(socket.get(), context, {}, deadline);
        Reader reader(*connection);
        std::string line;
        reader.read_line(line, 1024, deadline);
        connection->shut_down();
        return line.empty() ? "no greeting" : std::string(trim(line));
    } catch (const Error& error) {
        return error.what();
    }
}

enum class Speaks { in_clear, tls };

void look_at_port(const Listen& listen, const std::string& protocol, std::string_view good,
                  const std::string& log, Report& report, Speaks speaks = Speaks::in_clear) {
    const std::string address =
        listen.address == "0" || listen.address == "0.0.0.0" ? "127.0.0.1" : listen.address;
    const std::string text =
        speaks == Speaks::tls ? encrypted_greeting(address, listen.port) : greeting(address, listen.port);
    const std::string where = fmt::format("{} on {} port {}: {}", protocol, address, listen.port, text);
    if (text.starts_with(good))
        report.good(where);
    else
        report.bad(where, "look into " + log);
}

void look_at_ports(const Plan& plan, Report& report) {
    for (const Listen& listen : plan.listen)
        look_at_port(listen, "SMTP", "220", plan.home.path("log/qmail-smtpd/current"), report);
    for (const Listen& listen : plan.submission)
        look_at_port(listen, "submission", "220", plan.home.path("log/qmail-submission/current"), report);
    for (const Listen& listen : plan.submissions)
        look_at_port(listen, "submission by TLS", "220", plan.home.path("log/qmail-submissions/current"),
                     report, Speaks::tls);
    for (const Listen& listen : plan.pop3s)
        look_at_port(listen, "POP3 by TLS", "+OK", plan.home.path("log/qmail-pop3s/current"), report,
                     Speaks::tls);
    for (const Listen& listen : plan.pop3)
        look_at_port(listen, "POP3", "+OK", plan.home.path("log/qmail-pop3d/current"), report);
}

// Programs hold their locks as long as they live; their sockets and their supervisor outlive them, so these do not tell.
bool is_held(const std::string& lock) {
    const Fd fd(::open(lock.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

// Looks longer than a program that ends at once rests before it is started again.
void look_at_queue_programs(const Plan& plan, Report& report) {
    bool queued_lives = true, send_lives = true;
    for (int look = 0; look < 24; ++look) {
        queued_lives = queued_lives && is_held(queue::queued_lock_path(plan.home));
        send_lives = send_lives && is_held(queue::send_lock_path(plan.home));
        ::poll(nullptr, 0, 50);
    }
    const std::string remedy = "why it ends: " + plan.home.path("log/qmail-send/current");
    if (queued_lives)
        report.good("qmail-queued takes submissions");
    else
        report.bad("qmail-queued does not run: no message is accepted", remedy);
    if (send_lives)
        report.good("qmail-send and its spawners deliver");
    else
        report.bad("qmail-send does not run: nothing is delivered", remedy);
}

void look_at_disk(const Plan& plan, Report& report) {
    struct statvfs disk {};
    const std::string queue = plan.home.path("queue");
    if (::statvfs(queue.c_str(), &disk) != 0) throw_errno("look at", queue);
    const std::uint64_t free = disk.f_bavail * disk.f_frsize / mebibyte;
    if (free < 100)
        report.bad(fmt::format("{} MiB are free for the queue", free),
                   "make room: senders get 451 when it is full");
    else
        report.good(fmt::format("{} MiB are free for the queue", free));
    if (disk.f_files > 0 && disk.f_favail < 10000)
        report.bad(fmt::format("{} inodes are free for the queue", disk.f_favail), "each message takes one");
}

bool listens_on_loopback_alone(const Plan& plan) {
    for (const Listen& listen : plan.listen)
        if (!listen.address.starts_with("127.") && listen.address != "::1") return false;
    return true;
}

void look_at_names(const Plan& plan, Report& report) {
    const auto servers = read_file("/etc/resolv.conf", mebibyte);
    if (!servers || servers->find("nameserver") == std::string::npos)
        report.bad("/etc/resolv.conf names no server", "without DNS mail to other hosts waits in the queue");
    if (plan.me.empty()) return;  // qmail-showctl has said so
    Addresses found;
    const int code = ::getaddrinfo(plan.me.c_str(), nullptr, nullptr, &found.first);
    if (code != 0 && listens_on_loopback_alone(plan))
        report.note("the name in control/me, " + plan.me +
                    ", has no address in DNS; on loopback that does no harm");
    else if (code != 0)
        report.bad("the name in control/me, " + plan.me + ", has no address: " + ::gai_strerror(code),
                   "other servers refuse mail from a name that does not exist; give it one in DNS");
    else
        report.good("control/me, " + plan.me + ", has an address");
}

}  // namespace

int doctor(const Plan& plan) {
    Report report;
    look_at_files(plan, report);
    look_at_login_steps(plan, report);
    look_at_settings(plan, report);
    look_at_services(plan, report);
    look_at_queue_programs(plan, report);
    look_at_ports(plan, report);
    look_at_disk(plan, report);
    look_at_names(plan, report);
    return report.code();
}

}  // namespace relais::service
