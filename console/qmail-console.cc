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
#include <algorithm>
#include <cstdio>

#include "auth/hash.h"
#include "auth/new_password.h"
#include "base/error.h"
#include "base/program.h"
#include "console/accounts.h"
#include "console/lookups.h"
#include "console/serve.h"
#include "control/setting.h"
#include "control/tool.h"

namespace {

using namespace relais;

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
    std::puts(
        ("http://" + (address.empty() ? console::local_name : address) + "/login?once=" + secret).c_str());
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
    return arguments.empty() ? console::serve(home) : console::answer_one_question(home);
}

}  // namespace

int main(int argc, char** argv) {
    return argc > 1 && argv[1] != console::look_option
               ? control::run_tool("qmail-console", argc, argv, use_tool)
               : run_program("qmail-console", argc, argv, work);
}
