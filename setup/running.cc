#include "setup/running.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "queue/store.h"
#include "send/control_protocol.h"
#include "setup/command.h"
#include "setup/deliveries.h"
#include "setup/holders.h"
#include "setup/orphans.h"
#include "setup/ports.h"
#include "setup/process_table.h"
#include "setup/supervision.h"

namespace relais::setup {
namespace {

constexpr Seconds start_patience{15};
// What a stop waits for deliveries, and when it says so.
constexpr Seconds stop_patience{120};
constexpr Seconds tell_pause{3};
// qmail-start ends within seconds, unless qmail-queued does not.
constexpr Seconds restart_patience{60};
// A log ends when the last of those who write to it has.
constexpr Seconds log_patience{10};
constexpr Seconds session_patience{3};
constexpr Seconds answer_patience{2};
constexpr std::string_view signals_word = "signals ";

int fail(const std::string& text) {
    log_line("fatal: " + text);
    return static_cast<int>(Exit::temporary);
}

bool all_supervised(const Plan& plan) {
    for (const std::string& name : services_and_logs(plan))
        if (!service_state(plan, name).supervised) return false;
    return true;
}

bool all_up(const Plan& plan) {
    for (const std::string& name : services_and_logs(plan))
        if (service_state(plan, name).pid == 0) return false;
    return true;
}

bool none_supervised(const Plan& plan) {
    for (const std::string& name : services_and_logs(plan))
        if (service_state(plan, name).supervised) return false;
    return true;
}

// What an instance made by an older version lacks; its programs would not start, and what runs still does.
std::string missing_roles(const Plan& plan) {
    std::string names;
    for (const control::Role role : plan.identity.missing)
        names += (names.empty() ? "" : ", ") + std::string(control::Owners::name(role));
    return names.empty() ? ""
                         : "control/owners has no line for " + names + ": qmail-setup --repair " +
                               plan.home.directory() + " adds it";
}

// Why nothing could start.
std::string obstacle(const Plan& plan) {
    if (plan.me.empty())
        return "unable to start without this host's name: echo mail.example.org >" +
               plan.home.control_file("me");
    return missing_roles(plan);
}

void say(const std::string& text) {
    std::puts(text.c_str());
    std::fflush(stdout);
}

// Whether mail is delivered now, and what goes on beside it from before.
int report_deliveries(const Plan& plan) {
    using Sender = Deliveries::Sender;
    Deliveries found;
    const auto delivers = [&] {
        found = deliveries(plan);
        return found.sender == Sender::delivers || found.sender == Sender::unseen;
    };
    if (wait_until(delivers, Deadline::in(start_patience))) {
        if (const auto old = found.old(); !old.empty())
            say("these go on beside the new qmail-send:" + indented(old));
        return 0;
    }
    // One that waits for nobody has just begun, and will end as the one before it did.
    if (found.sender == Sender::none || found.lines.empty())
        return fail("qmail-send does not run; its log tells why: " +
                    plan.home.path("log/qmail-send/current"));
    return fail("no delivery starts, for qmail-send waits until these end, by themselves or by kill:" +
                indented(found.lines));
}

// The same as wait_until, but it says whom it waits for.
bool wait_for_deliveries(const Plan& plan, const std::function<bool()>& condition, Deadline deadline) {
    std::vector<std::string> told;
    while (!wait_until(condition, earlier(deadline, Deadline::in(tell_pause)))) {
        if (deadline.passed()) return false;
        std::vector<std::string> lines = deliveries(plan).lines;
        if (lines.empty() || lines == told) continue;
        say("waiting for:" + indented(lines));
        told = std::move(lines);
    }
    return true;
}

// What still runs when patience is at its end goes on by itself.
int fail_with_deliveries(const Plan& plan) {
    const Deliveries left = deliveries(plan);
    if (left.lines.empty()) return fail("something still runs: qmailctl stat");
    return fail("stopped but for these, which go on by themselves; the next start takes them over:" +
                indented(left.lines));
}

bool send_is_gone(const Plan& plan) {
    return !is_held(queue::send_lock_path(plan.home));
}

// svscan first, or it would start each supervise again; the logs end by themselves when nobody writes to them
// any more.
int end_all(const Plan& plan, pid_t svscan) {
    Sessions sessions(plan);
    const auto is_ours = [&](const Seen& seen) { return find_svscan(plan) == seen.pid; };
    if (!signal_process(svscan, SIGTERM, is_ours) && find_svscan(plan) == svscan)
        throw_permanent("unable to end svscan, pid " + std::to_string(svscan) + ": kill it by hand");
    wait_until([&plan] { return !find_svscan(plan); }, Deadline::in(start_patience));
    for (const std::string& name : services_and_logs(plan))
        if (service_state(plan, name).supervised) tell(plan, {name}, name.ends_with("/log") ? "x" : "dx");
    sessions.end(session_patience);
    end_orphaned_services(plan);
    const auto ended = [&plan] { return send_is_gone(plan) && none_supervised(plan); };
    if (wait_for_deliveries(
            plan, [&plan] { return send_is_gone(plan); }, Deadline::in(stop_patience)) &&
        wait_until(ended, Deadline::in(log_patience)))
        return 0;
    // A log would wait for the last delivery, or for a disk that takes nothing; the next start needs its
    // place.
    end_logs(plan);
    return ended() ? 0 : fail_with_deliveries(plan);
}

// How many signals qmail-send has obeyed; nothing if none answers, or one of a version that does not count.
std::optional<std::uint64_t> obeyed_signals(const Plan& plan) {
    try {
        const Deadline deadline = Deadline::in(answer_patience);
        const auto answer =
            send::ControlClient(plan.home, deadline).ask({send::ControlVerb::stat, 0}, deadline);
        for (const std::string_view line : split(answer.text, '\n'))
            if (line.starts_with(signals_word)) return parse_number(line.substr(signals_word.size()));
    } catch (const Error&) {
        // It ends, or this user may not ask.
    }
    return std::nullopt;
}

bool lacks_supervise(const Plan& plan, std::string_view program) {
    const auto orphans = orphaned_services(plan);
    return std::any_of(orphans.begin(), orphans.end(),
                       [&](const Seen& each) { return each.name == program; });
}

// Comes back when qmail-send has obeyed: supervise hands nothing on in the first second of a service's life.
int signal_send(const Plan& plan, const std::string& letter, const std::string& signal) {
    const auto before = obeyed_signals(plan);
    if (systemd_keeps(plan)) {
        if (const int code = systemctl(plan, {"kill", "--kill-who=main", "--signal=" + signal}, false))
            return code;
    } else if (lacks_supervise(plan, "qmail-start")) {
        return fail("qmail-send runs without its supervise, by which signals go: qmailctl restart");
    } else if (service_state(plan, "qmail-send").pid == 0) {
        return fail("qmail-send is not running: qmailctl start");
    } else {
        tell(plan, {"qmail-send"}, letter);
    }
    const auto obeyed = [&] { return obeyed_signals(plan) != before; };
    if (!before || wait_until(obeyed, Deadline::in(start_patience))) return 0;
    return fail("qmail-send has not obeyed yet: qmailctl doctor");
}

void end_what_has_no_supervise(const Plan& plan) {
    if (end_orphaned_logs(plan)) say("a log whose supervise had gone has been ended");
    if (end_orphaned_services(plan)) say("a service whose supervise had gone has been ended");
}

}  // namespace

int systemctl(const Plan& plan, const std::vector<std::string>& words, bool all_units) {
    std::vector<std::string> all = {"systemctl"};
    all.insert(all.end(), words.begin(), words.end());
    const auto units = systemd_units(plan);
    all.insert(all.end(), units.begin(), all_units ? units.end() : units.begin() + 1);
    return run(all, Deadline::in(stop_patience));
}

int start(const Plan& plan) {
    if (const std::string text = obstacle(plan); !text.empty()) return fail(text);
    for (const std::string& text : strangers_on_ports(plan)) log_line(text);
    if (systemd_keeps(plan)) {
        const int code = systemctl(plan, {"start"});
        return code != 0 ? code : report_deliveries(plan);
    }
    if (!find_svscan(plan)) {
        if (end_orphans(plan)) say("svscan had gone: what it had started has been ended");
        if (!all_supervised(plan)) start_svscan(plan);
    } else {
        end_what_has_no_supervise(plan);
    }
    if (!wait_until([&plan] { return all_supervised(plan); }, Deadline::in(start_patience)))
        return fail("not every service is under supervise; log/svscan and the end of `ps` tell why");
    tell(plan, services_and_logs(plan), "u");
    if (!wait_until([&plan] { return all_up(plan); }, Deadline::in(start_patience)))
        return fail("not every service comes up: qmailctl stat, and the logs in " + plan.home.path("log"));
    if (const int code = report_deliveries(plan)) return code;
    say("started " + plan.home.directory());
    return 0;
}

int stop(const Plan& plan) {
    if (systemd_keeps(plan)) {
        if (const int code = systemctl(plan, {"stop"})) return code;
        const auto gone = [&plan] { return send_is_gone(plan); };
        return wait_for_deliveries(plan, gone, Deadline::in(stop_patience)) ? 0 : fail_with_deliveries(plan);
    }
    if (const auto svscan = find_svscan(plan)) {
        if (const int code = end_all(plan, *svscan)) return code;
        end_orphans(plan);  // of a supervise that was killed
    } else {
        const bool had_orphans = end_orphans(plan);
        if (none_supervised(plan) && send_is_gone(plan)) {
            say((had_orphans ? "stopped " : "") + plan.home.directory() +
                (had_orphans ? "" : " is not running"));
            return 0;
        }
        Sessions sessions(plan);
        tell(plan, service_names(plan), "d");
        sessions.end(session_patience);
        const auto down = [&plan] {
            for (const std::string& name : service_names(plan))
                if (service_state(plan, name).pid != 0) return false;
            return send_is_gone(plan);
        };
        if (!wait_for_deliveries(plan, down, Deadline::in(stop_patience))) return fail_with_deliveries(plan);
    }
    say("stopped " + plan.home.directory());
    return 0;
}

int restart(const Plan& plan) {
    if (const std::string text = obstacle(plan); !text.empty()) return fail(text);
    if (systemd_keeps(plan)) {
        const int code = systemctl(plan, {"restart"});
        return code != 0 ? code : report_deliveries(plan);
    }
    if (find_svscan(plan)) end_what_has_no_supervise(plan);
    if (!all_supervised(plan) || has_orphans(plan)) return start(plan);
    const pid_t before = service_state(plan, "qmail-send").pid;
    tell(plan, service_names(plan), "t");
    tell(plan, service_names(plan), "u");
    const auto is_new = [&] {
        const pid_t now = service_state(plan, "qmail-send").pid;
        return now != 0 && now != before;
    };
    // Only a qmail-start of a version without heirs waits for deliveries.
    if (!wait_for_deliveries(plan, is_new, Deadline::in(restart_patience)))
        return fail("no delivery starts, for qmail-start waits until these end, by themselves or by kill:" +
                    indented(deliveries(plan).lines));
    return report_deliveries(plan);
}

int reload(const Plan& plan) {
    return signal_send(plan, "h", "HUP");
}

int flush(const Plan& plan) {
    return signal_send(plan, "a", "ALRM");
}

}  // namespace relais::setup
