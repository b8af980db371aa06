#include "setup/orphans.h"

#include <signal.h>

#include <algorithm>
#include <set>

#include "base/deadline.h"
#include "base/text.h"
#include "setup/process_table.h"
#include "setup/supervision.h"

namespace relais::setup {
namespace {

// What qmail-start may take for the submissions it has.
constexpr Seconds orphan_patience{45};
constexpr Seconds log_patience{5};

// The supervises whose svscan has gone.
std::vector<std::string> orphaned_supervises(const Plan& plan) {
    std::vector<std::string> names;
    const auto all = all_processes();
    for (const std::string& name : services_and_logs(plan))
        for (const Seen& seen : all) {
            if (!is_supervise_of(seen, plan, name)) continue;
            const auto parent = look_at_process(seen.parent);
            if (!parent || parent->name != "svscan") names.push_back(name);
        }
    return names;
}

// Services of this instance whose supervise has gone: what they write still goes to a log's pipe. One that
// somebody started by hand writes elsewhere.
std::vector<pid_t> orphaned_services(const Plan& plan) {
    const std::set<std::string> programs = {"qmail-start", "qmail-smtpd", "qmail-popd", "tcpserver"};
    const std::string home = "QMAILHOME=" + plan.home.directory();
    std::vector<pid_t> found;
    for (const Seen& seen : all_processes()) {
        if (!programs.contains(seen.name) || !writes_to_pipe(seen.pid)) continue;
        if (!is_of_instance(seen.pid, plan)) continue;
        const auto parent = look_at_process(seen.parent);
        if (parent && (parent->name == "supervise" || programs.contains(parent->name))) continue;
        const std::string environment = read_proc("/proc/" + std::to_string(seen.pid) + "/environ");
        for (const std::string_view variable : split(environment, '\0'))
            if (variable == home) found.push_back(seen.pid);
    }
    return found;
}

struct OrphanedLog {
    pid_t pid = 0;
    std::string service;
};

// multilog works in the directory that it writes to.
std::vector<OrphanedLog> find_orphaned_logs(const Plan& plan) {
    std::vector<OrphanedLog> found;
    for (const Seen& seen : all_processes()) {
        if (seen.name != "multilog" || !is_of_instance(seen.pid, plan)) continue;
        const auto parent = look_at_process(seen.parent);
        for (const std::string& service : service_names(plan))
            if (works_in(seen.pid, plan.home.path("log/" + service)) &&
                !(parent && is_supervise_of(*parent, plan, service + "/log")))
                found.push_back({seen.pid, service});
    }
    return found;
}

}  // namespace

std::vector<std::string> orphaned_logs(const Plan& plan) {
    std::vector<std::string> services;
    for (OrphanedLog& each : find_orphaned_logs(plan)) services.push_back(std::move(each.service));
    return services;
}

bool end_orphaned_logs(const Plan& plan) {
    const auto signal_all = [&plan](int signal_number) {
        for (const OrphanedLog& each : find_orphaned_logs(plan)) ::kill(each.pid, signal_number);
    };
    const auto none = [&plan] { return find_orphaned_logs(plan).empty(); };
    if (none()) return false;
    signal_all(SIGTERM);
    // It waits for the end of a line that nobody may ever write.
    if (!wait_until(none, Deadline::in(log_patience))) signal_all(SIGKILL);
    wait_until(none, Deadline::in(log_patience));
    return true;
}

bool has_orphans(const Plan& plan) {
    if (!find_orphaned_logs(plan).empty()) return true;
    return !find_svscan(plan) && (!orphaned_supervises(plan).empty() || !orphaned_services(plan).empty());
}

bool end_orphans(const Plan& plan) {
    if (find_svscan(plan) || !has_orphans(plan)) return false;
    for (const std::string& name : orphaned_supervises(plan))
        tell(plan, {name}, name.ends_with("/log") ? "x" : "dx");
    const auto only_logs = [&] {
        for (const pid_t pid : orphaned_services(plan)) ::kill(pid, SIGTERM);
        const auto left = orphaned_supervises(plan);
        return orphaned_services(plan).empty() &&
               std::all_of(left.begin(), left.end(), [](const auto& name) { return name.ends_with("/log"); });
    };
    wait_until(only_logs, Deadline::in(orphan_patience));
    // A log ends with the last of those who write to it, and a delivery that goes on may do so for hours.
    const auto none = [&] { return orphaned_supervises(plan).empty(); };
    if (!wait_until(none, Deadline::in(log_patience))) end_logs(plan);
    end_orphaned_logs(plan);
    return true;
}

void end_logs(const Plan& plan) {
    const auto left = [&] {
        std::vector<std::string> names;
        for (const std::string& name : services_and_logs(plan))
            if (name.ends_with("/log") && service_state(plan, name).supervised) names.push_back(name);
        return names;
    };
    const auto none = [&] { return left().empty(); };
    if (none()) return;
    tell(plan, left(), "dx");
    if (wait_until(none, Deadline::in(log_patience))) return;
    for (const std::string& name : left())
        if (const pid_t pid = service_state(plan, name).pid; pid > 0) ::kill(pid, SIGKILL);
    wait_until(none, Deadline::in(log_patience));
}

}  // namespace relais::setup
