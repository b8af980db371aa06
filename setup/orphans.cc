#include "setup/orphans.h"

#include <signal.h>

#include <algorithm>
#include <set>

#include "base/deadline.h"
#include "setup/holders.h"
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

// Whether it is a multilog that works in the directory that it writes to, of that service.
bool is_log_of(const Seen& seen, const Plan& plan, const std::string& service) {
    return seen.name == "multilog" && works_in(seen.pid, plan.home.path("log/" + service)) &&
           has_user_of(seen.pid, plan);
}

// Beside an svscan each service's pipe has a log of ours at its end; what somebody has started by hand writes
// elsewhere. Without one that log may have gone too.
bool has_our_log(const Seen& seen, const Plan& plan) {
    if (!find_svscan(plan)) return true;
    for (const Seen& each : all_processes())
        for (const std::string& service : service_names(plan))
            if (is_log_of(each, plan, service) && writes_to(seen.pid, each.pid)) return true;
    return false;
}

// Whether it is a service of this instance whose supervise has gone: what it writes still goes to a log's
// pipe.
bool is_orphaned_service(const Seen& seen, const Plan& plan) {
    static const std::set<std::string> programs = {"qmail-start", "qmail-smtpd", "qmail-popd", "tcpserver"};
    if (!programs.contains(seen.name) || !writes_to_pipe(seen.pid) || !has_user_of(seen.pid, plan))
        return false;
    // What one of them has started ends with it.
    if (has_ancestor(
            seen, [&](const Seen& each) { return each.name == "supervise" || programs.contains(each.name); }))
        return false;
    return is_of_instance(seen.pid, plan.home.directory()).value_or(false) && has_our_log(seen, plan);
}

void signal_orphaned_services(const Plan& plan) {
    for (const Seen& each : orphaned_services(plan))
        signal_process(each.pid, SIGTERM, [&](const Seen& seen) { return is_orphaned_service(seen, plan); });
}

struct OrphanedLog {
    pid_t pid = 0;
    std::string service;
};

// Whose log it writes without a supervise; "" if it is none. A run script that is a shell may stand between
// it and its supervise.
std::string orphaned_log_of(const Seen& seen, const Plan& plan) {
    for (const std::string& service : service_names(plan))
        if (is_log_of(seen, plan, service) && !has_ancestor(seen, [&](const Seen& each) {
                return is_supervise_of(each, plan, service + "/log");
            }))
            return service;
    return "";
}

std::vector<OrphanedLog> find_orphaned_logs(const Plan& plan) {
    std::vector<OrphanedLog> found;
    for (const Seen& seen : all_processes())
        if (std::string service = orphaned_log_of(seen, plan); !service.empty())
            found.push_back({seen.pid, std::move(service)});
    return found;
}

}  // namespace

std::vector<Seen> orphaned_services(const Plan& plan) {
    std::vector<Seen> found;
    for (const Seen& seen : all_processes())
        if (is_orphaned_service(seen, plan)) found.push_back(seen);
    return found;
}

bool end_orphaned_services(const Plan& plan) {
    if (orphaned_services(plan).empty()) return false;
    const auto none = [&plan] {
        signal_orphaned_services(plan);
        return orphaned_services(plan).empty();
    };
    wait_until(none, Deadline::in(orphan_patience));
    return true;
}

std::vector<std::string> orphaned_logs(const Plan& plan) {
    std::vector<std::string> services;
    for (OrphanedLog& each : find_orphaned_logs(plan)) services.push_back(std::move(each.service));
    return services;
}

bool end_orphaned_logs(const Plan& plan) {
    const auto signal_all = [&plan](int signal_number) {
        for (const OrphanedLog& each : find_orphaned_logs(plan))
            signal_process(each.pid, signal_number,
                           [&](const Seen& seen) { return !orphaned_log_of(seen, plan).empty(); });
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
        signal_orphaned_services(plan);
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
        if (const pid_t pid = service_state(plan, name).pid; pid > 0)
            signal_process(pid, SIGKILL, [&](const Seen& seen) {
                const auto parent = look_at_process(seen.parent);
                return parent && is_supervise_of(*parent, plan, name);
            });
    wait_until(none, Deadline::in(log_patience));
}

}  // namespace relais::setup
