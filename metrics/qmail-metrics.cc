// qmail-metrics shows the counters of all programs to Prometheus and its like.
//
//   qmail-metrics          serves HTTP on sockets/metrics and, where control/metricsaddress names one, on an
//                          address of this host; qmail-start starts it
//   qmail-metrics --once   writes the counters to standard output, for node_exporter's textfile collector
//   qmail-metrics --list   writes what there is as the manual page has it
//
// Trust: what it is asked comes from this host, and is foreign: a request is one header of 8 KiB at most. It
// runs as qmailm, who can read the pages of counters (metrics/) and nothing else, and writes nothing. What
// the pages hold may be anything: a number is a number.
//
// Inputs: metrics/*/page, control/metricsaddress.
// Exit codes: 0 after SIGTERM, or the counters are written; 100 wrong usage or owners; 111 temporary.
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "control/setting.h"
#include "metrics/server.h"
#include "net/network.h"
#include "net/socket.h"
#include "start/daemons.h"

namespace {

using namespace relais;

int show_once(const control::Home& home) {
    std::vector<std::string> wrong;
    const metrics::Pages pages = metrics::read_pages(home, &wrong);
    for (const std::string& text : wrong) log_line("warning: " + text);
    if (!wrong.empty() && pages.empty())
        throw Error(Reaction::temporary,
                    "no counter can be read (run it as root, or as the instance's user)");
    write_all(STDOUT_FILENO, metrics::show(pages, metrics::Form::prometheus), Deadline::never());
    return 0;
}

// Nothing where control/metricsaddress names none. What is wrong with it is said once; it counts when
// qmail-start is started anew.
Fd listen_where_told(const control::Home& home) {
    const std::string text = control::read<"metricsaddress">(home);
    if (text.empty()) return {};
    const auto endpoint = net::parse_endpoint(text);
    if (!endpoint || !(endpoint->ip.starts_with("127.") || endpoint->ip == "::1")) {
        log_line("warning: control/metricsaddress: not a loopback address with a port, as 127.0.0.1:9925: " +
                 text + " (for other hosts put a web server with TLS before it)");
        return {};
    }
    try {
        return net::listen_tcp(*endpoint);
    } catch (const Error& error) {
        log_line("alert: counters are not served at " + text + ": " + error.what());
        return {};
    }
}

int serve(const control::Home& home) {
    control::warn_of_missing(control::Owners::read(home), {control::Role::qmailm});
    control::become(control::Owners::read(home), control::Role::qmailm);
    const Fd tcp = listen_where_told(home);
    std::vector<int> listening = {start::listening("metrics")};
    if (tcp) listening.push_back(tcp.get());
    control::enter(control::metrics_cage, home);
    EventLoop loop;
    loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    metrics::Server server(loop, listening, home);
    loop.run();
    return 0;
}

int work(const Arguments& arguments) {
    if (arguments == Arguments{"--list"}) {
        write_all(STDOUT_FILENO, metrics::manual_list(), Deadline::never());
        return 0;
    }
    const auto home = control::Home::from_environment();
    if (arguments == Arguments{"--once"}) return show_once(home);
    if (!arguments.empty()) throw_permanent("usage: qmail-metrics --once (without it qmail-start starts it)");
    return serve(home);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-metrics", argc, argv, work);
}
