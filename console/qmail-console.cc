// qmail-console shows an administrator his mail server in a browser: is it well, where is this message, why.
//
//   qmail-console                       serves HTTP on sockets/console and, where control/consoleaddress names
//                                       one, on an address of this host; qmail-start starts it
//   qmail-console --passwd NAME [--read-only]
//                                       makes an operator, or changes his password (asked for, or the first
//                                       line of standard input)
//   qmail-console --delete NAME         takes him out
//   qmail-console --list                who there is
//   qmail-console --log-out [NAME]      ends his sessions, "once" for those of --once; without a name all
//   qmail-console --once [--read-only]  prints an address that lets its bearer in once, within ten minutes
//
// Trust: two halves. The one that speaks with browsers is qmailb, confined, and can read the counters and
// nothing else. It asks the other half (console/protocol.h), which stays root (or the instance's one user),
// parses no HTTP, knows who is logged in, decides what he may, and starts this program anew for each question
// (--look), as the role whose files are read and in a cage. Acts go through qmail-send. When one half ends,
// so does the other.
//
// Inputs: HTTP, users/operators, control/consoleaddress, control/consolehosts, metrics/, queue/, trace/.
// Exit codes: 0 done; 1 there is no such operator; 100 wrong usage or owners; 111 temporary, or the other
// half has gone.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "auth/hash.h"
#include "auth/new_password.h"
#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "console/accounts.h"
#include "console/front.h"
#include "console/helper.h"
#include "console/lookups.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "control/tool.h"
#include "net/network.h"
#include "net/socket.h"
#include "start/daemons.h"

namespace {

using namespace relais;

constexpr std::size_t descriptors = 200;
// What a browser names where a proxy brings it to the unix socket without saying more.
constexpr const char* local_name = "localhost";

// Nothing where control/consoleaddress names none. What is wrong with it is said once; it counts when
// qmail-console is started anew.
Fd listen_where_told(const std::string& text, std::set<std::string>& hosts) {
    if (text.empty()) return {};
    const auto endpoint = net::parse_endpoint(text);
    if (!endpoint || !(endpoint->ip.starts_with("127.") || endpoint->ip == "::1")) {
        log_line("warning: control/consoleaddress: not a loopback address with a port, as 127.0.0.1:8025: " +
                 text + " (for other hosts put a web server with TLS before it)");
        return {};
    }
    try {
        Fd listening = net::listen_tcp(*endpoint);
        hosts.insert(endpoint->text());
        hosts.insert(std::string(local_name) + ":" + std::to_string(endpoint->port));
        return listening;
    } catch (const Error& error) {
        log_line("alert: the console is not served at " + text + ": " + error.what());
        return {};
    }
}

std::pair<Fd, Fd> make_stream_pair() {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0)
        throw_errno("make", "a pair of sockets");
    return {Fd(both[0]), Fd(both[1])};
}

int speak(const control::Home& home, const control::Owners& owners, Fd channel) {
    console::FrontSettings settings{{local_name}};
    for (const std::string& line : control::read<"consolehosts">(home))
        if (const std::string fault = console::add_host(settings, line); !fault.empty())
            log_line("warning: control/consolehosts: " + safe_for_log(fault));
    const Fd tcp = listen_where_told(control::read<"consoleaddress">(home), settings.hosts);
    control::become(owners, control::Role::qmailb);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    raise_descriptor_limit(descriptors);
    std::vector<int> listening = {start::listening("console")};
    if (tcp) listening.push_back(tcp.get());
    control::enter(control::console_cage, home);
    EventLoop loop;
    console::Front front(loop, listening, std::move(channel), home, std::move(settings));
    loop.run();
    return static_cast<int>(Exit::temporary);
}

int serve(const control::Home& home) {
    const control::Owners owners = control::Owners::read(home);
    control::warn_of_missing(owners, {control::Role::qmailb});
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    auto [ours, theirs] = make_stream_pair();
    const pid_t child = ::fork();
    if (child < 0) throw_errno("fork", "qmail-console's other half");
    if (child == 0) {
        ours.reset();
        return speak(home, owners, std::move(theirs));
    }
    theirs.reset();
    ::close(start::listening("console"));
    EventLoop loop;
    console::Helper helper(loop, std::move(ours), home, owners);
    loop.run();
    return static_cast<int>(Exit::temporary);
}

int set_password(const control::Home& home, const std::string& name, console::Role role) {
    if (!console::is_operator_name(name))
        throw_permanent("this cannot be an operator's name: " + name +
                        " (letters, digits, dots, dashes, underscores and @)");
    const Secret password = auth::ask_password();
    auth::refuse_bad_password(password.view());
    console::set_operator(home, {name, role, auth::hash_password(password.view())});
    std::puts((name + ": " + std::string(console::role_name(role))).c_str());
    return 0;
}

int list(const control::Home& home) {
    for (const console::Operator& each : console::read_operators(home))
        std::puts((each.name + ": " + std::string(console::role_name(each.role))).c_str());
    return 0;
}

int once(const control::Home& home, console::Role role) {
    const std::string address = control::read<"consoleaddress">(home);
    const std::string secret = console::make_once(home, role);
    std::puts(("http://" + (address.empty() ? local_name : address) + "/login?once=" + secret).c_str());
    if (address.empty())
        log_line(
            "control/consoleaddress names no address: put the host's name that leads to sockets/console "
            "there");
    return 0;
}

int log_out(const control::Home& home, const std::string& name) {
    if (!name.empty() && !console::is_operator_name(name))
        throw_permanent("this cannot be an operator's name: " + name);
    console::end_sessions(home, name);
    if (!name.empty() && name != console::once_name && !console::is_operator(home, name)) {
        log_line("there is no operator " + name +
                 " (qmail-console --list); sessions of that name are ended all the same");
        return 1;
    }
    std::puts(name.empty() ? "everybody is logged out" : (name + " is logged out").c_str());
    return 0;
}

int use(const control::Home& home, Arguments arguments) {
    const bool read_only = std::erase(arguments, "--read-only") > 0;
    const auto role = read_only ? console::Role::reader : console::Role::operating;
    if (arguments.size() == 2 && arguments[0] == "--passwd") return set_password(home, arguments[1], role);
    if (arguments == Arguments{"--once"}) return once(home, role);
    if (arguments == Arguments{"--list"} && !read_only) return list(home);
    if (!arguments.empty() && arguments.size() <= 2 && arguments[0] == "--log-out" && !read_only)
        return log_out(home, arguments.size() == 2 ? arguments[1] : "");
    if (arguments.size() == 2 && arguments[0] == "--delete" && !read_only) {
        if (console::remove_operator(home, arguments[1])) return 0;
        log_line("there is no operator " + arguments[1]);
        return 1;
    }
    throw_permanent(
        "usage: qmail-console --passwd NAME [--read-only] | --delete NAME | --list | --once [--read-only] | "
        "--log-out [NAME] (without it qmail-start starts it)");
}

int use_tool(const Arguments& arguments) {
    return use(control::Home::from_environment(), arguments);
}

int work(const Arguments& arguments) {
    const auto home = control::Home::from_environment();
    return arguments.empty() ? serve(home) : console::answer_one_question(home);
}

}  // namespace

int main(int argc, char** argv) {
    return argc > 1 && argv[1] != console::look_option
               ? control::run_tool("qmail-console", argc, argv, use_tool)
               : run_program("qmail-console", argc, argv, work);
}
