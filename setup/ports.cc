#include "setup/ports.h"

#include <fmt/core.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/printable.h"
#include "base/text.h"
#include "control/control_file.h"
#include "control/setting.h"
#include "setup/holders.h"
#include "setup/supervision.h"
#include "tls/connection.h"

namespace relais::setup {
namespace {

constexpr Seconds patience{15};
constexpr std::size_t greeting_limit = 1024;
// Clients at once of a POP3 server (setup/scripts.cc).
constexpr std::uint64_t pop3_places = 100;

struct Protocol {
    const char* name;
    const char* service;
    const char* file;
    std::string_view good;  // what a greeting begins with
    bool tls;
};

constexpr Protocol smtp{"SMTP", "qmail-smtpd", "smtplisten", "220", false};
constexpr Protocol submission{"submission", "qmail-submission", "submissionlisten", "220", false};
constexpr Protocol submissions{"submission by TLS", "qmail-submissions", "submissionslisten", "220", true};
constexpr Protocol pop3s{"POP3 by TLS", "qmail-pop3s", "pop3slisten", "+OK", true};
constexpr Protocol pop3{"POP3", "qmail-pop3d", "pop3listen", "+OK", false};

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

std::string first_line(Reader reader, Deadline deadline) {
    std::string line;
    reader.read_line(line, greeting_limit, deadline);
    return line.empty() ? "no greeting" : printable(trim(line));
}

struct Answer {
    bool connected = false;
    std::string text;  // the greeting of the server there, or what goes wrong on the way to it
};

// Of a server that speaks TLS from the first octet: what it says once it speaks. Its certificate is
// qmail-showctl's business.
Answer ask(const std::string& address, unsigned port, bool tls) {
    Answer answer;
    try {
        const Fd socket = connect_to(address, port);
        answer.connected = true;
        const Deadline deadline = Deadline::in(patience);
        if (!tls) {
            answer.text = first_line(Reader(socket.get()), deadline);
            return answer;
        }
        const tls::ClientContext context;
        const auto connection = tls::connect(socket.get(), context, {}, deadline);
        answer.text = first_line(Reader(*connection), deadline);
        connection->shut_down();
    } catch (const Error& error) {
        answer.text = error.what();
    }
    return answer;
}

// The process that supervise keeps for the service; nothing if that is not known.
std::optional<pid_t> service_pid(const Plan& plan, const std::string& service) {
    try {
        const pid_t pid = service_state(plan, service).pid;
        return pid != 0 ? std::optional(pid) : std::nullopt;
    } catch (const Error&) {
        return std::nullopt;
    }
}

bool names_us(const Plan& plan, const Protocol& protocol, const std::string& greeting) {
    // What does not greet at all is another matter.
    if (plan.me.empty() || !greeting.starts_with(protocol.good)) return true;
    if (protocol.good == "+OK") return greeting.find(plan.me) != std::string::npos;
    return greeting.starts_with("220 " + control::read_if_there<"smtpgreeting">(plan.home).value_or(plan.me));
}

// " from exim4 (pid 812)", as far as that can be seen.
std::string origin(const std::map<ino_t, uid_t>& sockets, const std::vector<pid_t>& found) {
    if (!found.empty()) return " from " + process_text(found.front());
    return sockets.empty() ? "" : fmt::format(" from a process of uid {}", sockets.begin()->second);
}

// True if the port is held by the service; nothing if that cannot be seen.
std::optional<bool> is_held_by(const Plan& plan, pid_t service, const std::map<ino_t, uid_t>& sockets,
                               const std::vector<pid_t>& found) {
    if (!found.empty())
        return std::any_of(found.begin(), found.end(), [&](pid_t each) { return descends(each, service); });
    const uid_t own = plan.identity.administrator().uid;
    if (plan.identity.single && !sockets.empty() &&
        std::none_of(sockets.begin(), sockets.end(), [&](const auto& each) { return each.second == own; }))
        return false;
    return std::nullopt;
}

// Who answers, if it is not this instance: by the process that has the port where we may see that, else by
// the name in the greeting. A service that was started by hand is known by its greeting alone.
std::optional<std::string> stranger(const Plan& plan, const Protocol& protocol, const std::string& service,
                                    unsigned port, const std::string& greeting) {
    const auto pid = systemd_keeps(plan) ? std::nullopt : service_pid(plan, service);
    const auto sockets = listeners(port);
    const std::vector<pid_t> found = holders(sockets);
    const auto ours = pid ? is_held_by(plan, *pid, sockets, found) : std::nullopt;
    if (ours.value_or(names_us(plan, protocol, greeting))) return std::nullopt;
    return greeting + origin(sockets, found);
}

// "40 of 40 places are taken, 38 of them by 192.0.2.1"; empty if there are some left.
std::string taken_places(const Plan& plan, const Protocol& protocol, unsigned port) {
    const std::uint64_t places =
        protocol.good == "+OK" ? pop3_places : control::read<"concurrencyincoming">(plan.home);
    const auto count = clients(port);
    std::size_t all = 0;
    for (const auto& [address, each] : count) all += each;
    if (all < places || count.empty()) return "";
    const auto most = std::max_element(count.begin(), count.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return fmt::format("{} of {} places are taken, {} of them by {}", places, places,
                       std::min<std::uint64_t>(most->second, places), most->first);
}

void look_at_port(const Plan& plan, const Protocol& protocol, std::size_t number, const Listen& listen,
                  Report& report) {
    const std::string service =
        numbered_service(protocol.service, &protocol == &smtp && plan.own_listener ? 1 : number);
    if (listen.proxied)
        return report.note(fmt::format("{} on port {} is not asked: it takes connections of proxies alone",
                                       protocol.name, listen.port));
    const std::string address =
        listen.address == "0" || listen.address == "0.0.0.0" ? "127.0.0.1" : listen.address;
    const Answer answer = ask(address, listen.port, protocol.tls);
    const auto other =
        answer.connected ? stranger(plan, protocol, service, listen.port, answer.text) : std::nullopt;
    if (other)
        return report.bad(fmt::format("{} on {}: port {} is answered by somebody else: {}", protocol.name,
                                      address, listen.port, *other),
                          fmt::format("end that server, or choose another port in {}, then qmailctl restart",
                                      plan.home.control_file(protocol.file)));
    const std::string where =
        fmt::format("{} on {} port {}: {}", protocol.name, address, listen.port, answer.text);
    if (answer.text.starts_with(protocol.good))
        report.good(where);
    else if (const std::string full = taken_places(plan, protocol, listen.port); !full.empty())
        report.bad(
            fmt::format("{}: {}", where, full),
            fmt::format("clients wait meanwhile; raise {}, or let one address have less ({})",
                        plan.home.control_file("concurrencyincoming"), plan.home.control_file("perip")));
    else
        report.bad(where, "look into " + plan.home.path("log/" + service + "/current"));
}

void look_at_all(const Plan& plan, const Protocol& protocol, const std::vector<Listen>& listen,
                 Report& report) {
    for (std::size_t number = 1; number <= listen.size(); ++number)
        look_at_port(plan, protocol, number, listen[number - 1], report);
}

struct Place {
    const Protocol& protocol;
    const std::vector<Listen>& listen;
};

std::array<Place, 5> places_of(const Plan& plan) {
    return {{{smtp, plan.listen},
             {submission, plan.submission},
             {submissions, plan.submissions},
             {pop3s, plan.pop3s},
             {pop3, plan.pop3}}};
}

// Who has the port, if it is not this instance.
std::string stranger_at(const Plan& plan, const Listen& listen) {
    const auto sockets = listeners(listen.port, listen.address);
    const std::vector<pid_t> found = holders(sockets);
    for (const pid_t pid : found)
        if (!is_of_instance(pid, plan.home.directory()).value_or(true)) return process_text(pid);
    if (!found.empty() || sockets.empty() || !plan.identity.single) return "";
    const uid_t uid = sockets.begin()->second;
    return uid != plan.identity.administrator().uid ? fmt::format("a process of uid {}", uid) : "";
}

}  // namespace

std::vector<std::string> strangers_on_ports(const Plan& plan) {
    std::vector<std::string> all;
    for (const Place& place : places_of(plan))
        for (const Listen& listen : place.listen)
            if (const std::string who = stranger_at(plan, listen); !who.empty())
                all.push_back(fmt::format(
                    "{} cannot start on port {}: {} has it; end that one, or choose "
                    "another port in {}",
                    place.protocol.service, listen.port, who, plan.home.control_file(place.protocol.file)));
    return all;
}

void look_at_ports(const Plan& plan, Report& report) {
    for (const Place& place : places_of(plan)) look_at_all(plan, place.protocol, place.listen, report);
}

}  // namespace relais::setup
