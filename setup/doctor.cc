#include "setup/doctor.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <system_error>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/io.h"
#include "base/landlock.h"
#include "base/text.h"
#include "queue/store.h"
#include "send/control_protocol.h"
#include "setup/command.h"
#include "setup/deliveries.h"
#include "setup/holders.h"
#include "setup/inspect.h"
#include "setup/mailboxes.h"
#include "setup/milter_trial.h"
#include "setup/orphans.h"
#include "setup/ports.h"
#include "setup/programs.h"
#include "setup/script_users.h"
#include "setup/supervision.h"
#include "setup/surroundings.h"

namespace relais::setup {
namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
constexpr std::size_t files_shown = 10;
// A service that lives this long is not one that dies again and again.
constexpr std::int64_t settled_seconds = 3;

// One careless chmod -R gives some hundreds, of one cause and with one remedy.
void tell_mendable(const Plan& plan, const std::vector<Finding>& findings, Report& report) {
    std::string text;
    std::size_t count = 0;
    for (const Finding& finding : findings)
        if (finding.mend && ++count <= files_shown) text += (text.empty() ? "" : "\n       ") + finding.text;
    if (count == 0) return;
    if (count > files_shown)
        text += fmt::format("\n       and {} more, which qmail-setup --check {} names", count - files_shown,
                            plan.home.directory());
    report.bad(text, "qmail-setup --repair " + plan.home.directory());
}

void look_at_files(const Plan& plan, Report& report) {
    const std::vector<Finding> findings = inspect(plan);
    bool well = true;
    for (const Finding& finding : findings) {
        well = well && finding.note;
        if (finding.note)
            report.note(finding.text);
        else if (finding.unseen)
            report.unseen(finding.text);
        else if (!finding.mend)
            report.bad(finding.text, "this needs you");
    }
    tell_mendable(plan, findings, report);
    if (well) report.good("files, owners and modes are as they must be");
}

// Whoever has the uid of a role, or logs in, could trace such a program.
void look_at_readable_programs(const Plan& plan, Report& report) {
    for (const std::string_view name : closed_programs()) {
        const std::string path = plan.home.path("bin/" + std::string(name));
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0 || (info.st_mode & (S_IRGRP | S_IROTH)) == 0) continue;
        report.bad(path + " can be read, so whoever has its uid could trace it and take what it holds",
                   "chmod 0711 " + path);
    }
}

void look_at_settings(const Plan& plan, Report& report) {
    const CommandResult result = capture({program("qmail-showctl"), "--check"}, Deadline::in(Seconds(30)));
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
        // In a directory of qmaill's.
        const auto directory = plan.tree->directory("log/" + service);
        const Fd log = directory ? directory->try_open("current", O_RDONLY | O_NONBLOCK) : Fd();
        const std::string text = log ? read_to_end(log.get(), 16 * mebibyte, Deadline::never()) : "";
        if (text.empty()) return "nothing";
        const std::string_view lines = trim(text);
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

void look_at_service(const Plan& plan, const std::string& name, Report& report) {
    const ServiceState state = settled_state(plan, name);
    if (!state.supervised)
        report.bad(name + " is not supervised", "qmailctl start " + plan.home.directory());
    else if (state.pid == 0 && !state.wanted_up)
        report.bad(name + " is down", "qmailctl start " + plan.home.directory());
    else if (state.pid == 0 || state.seconds < settled_seconds)
        report.bad(name + " ends and is started again", "its log ends with: " + last_line_of_log(plan, name));
    else
        report.good(fmt::format("{} is up, pid {}, {} s", name, state.pid, state.seconds));
}

void look_at_services(const Plan& plan, Report& report) {
    if (systemd_keeps(plan)) return report.good("systemd keeps it: systemctl status 'relais-*'");
    for (const std::string& name : service_names(plan)) try {
            look_at_service(plan, name, report);
        } catch (const Error& error) {
            report.trouble(error);
        }
    for (const std::string& name : orphaned_logs(plan))
        report.bad("a multilog without supervise has the lock of log/" + name +
                       ": when the pipe of the next one is full " + name + " stands still",
                   "qmailctl start " + plan.home.directory());
    for (const Seen& each : orphaned_services(plan))
        report.bad(fmt::format("{} has lost its supervise, pid {}: nobody starts it again, and the next one "
                               "cannot start beside it",
                               each.name, each.pid),
                   "qmailctl restart " + plan.home.directory());
}

// Somebody has removed the file that it holds: it works on, but nothing keeps a second one away. What a
// confined process holds only root may see; others see its name below the service.
bool runs_without_lock(const Plan& plan, const std::string& program, const std::string& lock,
                       Report& report) {
    const bool named = ::access(lock.c_str(), F_OK) != 0 && !systemd_keeps(plan) &&
                       runs_below(service_state(plan, "qmail-send").pid, program);
    if (!named && !is_open_though_removed(lock)) return false;
    report.bad(program + " runs, but its lock was removed: " + lock,
               "qmailctl restart " + plan.home.directory());
    return true;
}

// A held lock says that something runs, qmail-send's answer that it delivers.
void look_at_deliveries(const Plan& plan, bool is_locked, const std::string& remedy, Report& report) {
    using Sender = Deliveries::Sender;
    const Deliveries found = deliveries(plan);
    // One that waits for nobody has just begun, and will end as the one before it did.
    const bool waits = found.sender == Sender::ends || found.sender == Sender::waits;
    if (waits && !found.lines.empty())
        return report.bad(
            "no delivery starts: qmail-send waits for" + indented(found.lines),
            "they end by themselves, or by kill; if qmail-send was to end alone: qmailctl restart");
    if (waits || (!is_locked && found.sender != Sender::delivers)) {
        if (!runs_without_lock(plan, "qmail-send", queue::send_lock_path(plan.home), report))
            report.bad("qmail-send does not run: nothing is delivered", remedy);
        return;
    }
    if (is_locked || !runs_without_lock(plan, "qmail-send", queue::send_lock_path(plan.home), report))
        report.good("qmail-send and its spawners deliver");
    if (const auto old = found.old(); !old.empty())
        report.note("from before the last restart:" + indented(old));
}

// Programs hold their locks as long as they live; their sockets and their supervisor outlive them, so these
// do not tell. Looks longer than a program that ends at once rests before it is started again.
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
    else if (!runs_without_lock(plan, "qmail-queued", queue::queued_lock_path(plan.home), report))
        report.bad("qmail-queued does not run: no message is accepted", remedy);
    look_at_deliveries(plan, send_lives, remedy, report);
}

// What stands in the files may not be what qmail-send goes by (send/rules_watch.h).
void look_at_rules(const Plan& plan, Report& report) {
    const Deadline deadline = Deadline::in(Seconds(2));
    send::ControlAnswer answer;
    try {
        answer = send::ControlClient(plan.home, deadline).ask({send::ControlVerb::rules, 0}, deadline);
    } catch (const Error&) {
        return;  // none runs, or this user may not ask: others say so
    }
    if (!answer.ok || answer.text.empty()) return;
    report.bad(
        "qmail-send goes by the locals and virtualdomains of before: " + std::string(trim(answer.text)),
        "mend the file; if it is right so: qmailctl reload " + plan.home.directory());
}

// After an error ext4 may stop writing without calling itself read-only; a file without a name tells.
bool takes_no_file(const std::string& directory) {
    const Fd file(::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    return !file && (errno == EROFS || errno == EIO);
}

void look_at_disk(const Plan& plan, Report& report) {
    struct statvfs disk {};
    const std::string queue = plan.home.path("queue");
    if (::statvfs(queue.c_str(), &disk) != 0) throw_errno("look at", queue);
    if ((disk.f_flag & ST_RDONLY) != 0 || takes_no_file(queue))
        report.bad(queue + " is on a file system that is read-only: senders get 451",
                   "after a disk error the kernel does that: look at dmesg, check the disk, mount it anew");
    const std::uint64_t free = disk.f_bavail * disk.f_frsize / mebibyte;
    if (free < 100)
        report.bad(fmt::format("{} MiB are free for the queue", free),
                   "make room: senders get 451 when it is full");
    else
        report.good(fmt::format("{} MiB are free for the queue", free));
    if (disk.f_files > 0 && disk.f_favail < 10000)
        report.bad(fmt::format("{} inodes are free for the queue", disk.f_favail), "each message takes one");
}

// As far as it knows Landlock, the kernel keeps a program that was taken over from files, ports and processes
// that it has no business with.
void look_at_kernel(const Plan&, Report& report) {
    constexpr int all_of_it = 6;
    const int version = landlock_version();
    const std::string advice = "a kernel of 6.12 or later, with landlock in its lsm= list, has all of it";
    if (version == 0)
        report.note(
            "this kernel has no Landlock: which files the programs open is left to their users' rights "
            "alone; " +
            advice);
    else if (version < all_of_it)
        report.note(fmt::format(
            "this kernel has version {} of Landlock: {}; {}", version,
            version < 4 ? "neither TCP ports nor signals and abstract sockets are kept from the programs"
                        : "signals and abstract sockets are not kept from the programs",
            advice));
    else
        report.good("the kernel confines the programs (Landlock)");
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
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(plan.me.c_str(), nullptr, nullptr, &found);
    if (code == 0) ::freeaddrinfo(found);
    if (code != 0 && listens_on_loopback_alone(plan))
        report.note("the name in control/me, " + plan.me +
                    ", has no address in DNS; on loopback that does no harm");
    else if (code != 0)
        report.look("the name in control/me, " + plan.me + ", has no address: " + ::gai_strerror(code),
                    "other servers refuse mail from a name that does not exist; give it one in DNS");
    else
        report.good("control/me, " + plan.me + ", has an address");
}

}  // namespace

void examine(const Plan& plan, Report& report) {
    for (const auto look : {look_at_files, look_at_readable_programs, look_at_settings, look_at_services,
                            look_at_script_users, look_at_queue_programs, look_at_rules, look_at_ports,
                            look_at_milters, look_at_relaying, look_at_held_logins, look_at_accounts,
                            look_at_users, look_at_sendmail, look_at_disk, look_at_names, look_at_kernel})
        try {
            look(plan, report);
        } catch (const Error& error) {
            // What cannot be looked at is no reason not to look at the rest.
            report.trouble(error);
        } catch (const std::system_error& error) {
            report.trouble(Error(Reaction::temporary, error.what(), error.code().value()));
        }
}

}  // namespace relais::setup
