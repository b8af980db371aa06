#include "setup/status.h"

#include <cstdio>
#include <string>

#include "setup/command.h"
#include "setup/deliveries.h"
#include "setup/programs.h"
#include "setup/running.h"
#include "setup/supervision.h"

namespace relais::setup {
namespace {

void say(const std::string& text) {
    std::puts(text.c_str());
    std::fflush(stdout);
}

// Of QMAILHOME, which is this instance; but never a program from there.
int tool(const std::string& name) {
    return run({program(name)}, Deadline::in(Seconds(600)));
}

// 0 if all of them are up, and 1 if not.
int services(const Plan& plan) {
    if (systemd_keeps(plan)) return systemctl(plan, {"--no-pager", "status"}) == 0 ? 0 : 1;
    int code = 0;
    for (const std::string& name : services_and_logs(plan)) {
        const ServiceState state = service_state(plan, name);
        const std::string since = std::to_string(state.seconds) + " seconds";
        const std::string text = !state.supervised ? "not supervised"
                                 : state.pid != 0  ? "up (pid " + std::to_string(state.pid) + ") " + since
                                                   : "down " + since;
        if (state.pid == 0) code = 1;
        std::puts((name + ": " + text).c_str());
    }
    std::fflush(stdout);
    return code;
}

}  // namespace

int status(const Plan& plan) {
    int code = services(plan);
    const int queue_code = tool("qmail-qstat");
    const Deliveries found = deliveries(plan);
    if (found.sender == Deliveries::Sender::ends || found.sender == Deliveries::Sender::waits) {
        say("no delivery starts: qmail-send waits for" + indented(found.lines));
        code = 1;
    } else if (const auto old = found.old(); !old.empty()) {
        say("from before the last restart:" + indented(old));
    }
    return code != 0 ? code : queue_code;
}

int list_queue(const Plan&) {
    const int code = tool("qmail-qstat");
    return code != 0 ? code : tool("qmail-qread");
}

}  // namespace relais::setup
