#include "setup/supervision.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "base/text.h"
#include "setup/command.h"
#include "setup/process_table.h"

namespace relais::setup {
namespace fs = std::filesystem;

namespace {

// supervise/status: 12 octets TAI64N of the last change, the pid (little-endian), paused, want ('u', 'd' or
// 0).
constexpr std::size_t status_octets = 18;
constexpr std::uint64_t tai_of_unix_epoch = (std::uint64_t{1} << 62) + 10;

std::uint64_t octet(const std::string& text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

void decode_status(const std::string& status, ServiceState& state) {
    std::uint64_t tai = 0;
    for (std::size_t at = 0; at < 8; ++at) tai = tai << 8 | octet(status, at);
    std::uint64_t pid = 0;
    for (std::size_t at = 16; at-- > 12;) pid = pid << 8 | octet(status, at);
    state.pid = static_cast<pid_t>(pid);
    state.seconds =
        std::max<std::int64_t>(0, ::time(nullptr) - static_cast<std::int64_t>(tai - tai_of_unix_epoch));
    state.wanted_up = status[17] == 'u' || (status[17] == 0 && pid != 0);
}

// In the child that becomes svscan: nothing of the terminal, nothing of ours.
[[noreturn]] void become_svscan(const Plan& plan) {
    ::setsid();
    const int null = ::open("/dev/null", O_RDONLY);
    const int log =
        ::open(plan.home.path("log/svscan").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0644);
    if (null < 0 || log < 0 || ::chdir(plan.home.path("service").c_str()) != 0) ::_exit(111);
    ::dup2(null, STDIN_FILENO);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::closefrom(STDERR_FILENO + 1);
    ::signal(SIGPIPE, SIG_DFL);
    ::signal(SIGHUP, SIG_DFL);
    ::umask(022);
    // A fixed environment: what runs for months must not depend on the shell that started it.
    const char* const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                       nullptr};
    const char* const arguments[] = {"svscan", nullptr};
    ::execvpe("svscan", const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
    ::_exit(127);
}

// svscan and supervise run as the administrator alone; whatever else has their name and place is somebody's
// who wants to be taken for them.
bool is_administrators(pid_t pid, const Plan& plan) {
    const uid_t wanted = plan.identity.administrator().uid;
    const auto users = users_of(pid);
    return users && users->real == wanted && users->effective == wanted;
}

}  // namespace

std::string service_directory(const Plan& plan, const std::string& name) {
    return plan.home.path("service/" + name);
}

bool is_supervise_of(const Seen& seen, const Plan& plan, const std::string& name) {
    return seen.name == "supervise" && works_in(seen.pid, service_directory(plan, name)) &&
           is_administrators(seen.pid, plan);
}

bool has_user_of(pid_t pid, const Plan& plan) {
    const auto users = users_of(pid);
    return users && users->real == users->effective &&
           (users->real == plan.identity.administrator().uid ||
            std::any_of(plan.identity.owners.begin(), plan.identity.owners.end(), [&](const auto& owner) {
                return owner.second.uid == users->real && plan.identity.has(owner.first);
            }));
}

// supervise cannot write its status on a full disk: its child tells.
void correct_stale(const Plan& plan, const std::string& name, ServiceState& state) {
    if (state.pid != 0) {
        const auto service = look_at_process(state.pid);
        const auto parent = service ? look_at_process(service->parent) : std::nullopt;
        if (parent && is_supervise_of(*parent, plan, name)) return;
    }
    const auto all = all_processes();
    for (const Seen& supervise : all) {
        if (!is_supervise_of(supervise, plan, name)) continue;
        const pid_t before = std::exchange(state.pid, 0);
        for (const Seen& child : all)
            if (child.parent == supervise.pid) {
                state.pid = child.pid;
                if (state.pid != before) state.seconds = child.seconds;
            }
    }
}

ServiceState service_state(const Plan& plan, const std::string& name) {
    ServiceState state;
    const std::string directory = service_directory(plan, name) + "/supervise";
    // supervise holds the other end of this pipe open as long as it lives.
    const Fd ok(::open((directory + "/ok").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (!ok && errno == EACCES) throw_errno("look at", directory);
    state.supervised = static_cast<bool>(ok);
    if (!state.supervised) return state;
    const auto status = read_file(directory + "/status", 64);
    if (status && status->size() == status_octets) decode_status(*status, state);
    correct_stale(plan, name, state);
    return state;
}

std::vector<std::string> services_and_logs(const Plan& plan) {
    std::vector<std::string> names;
    for (const std::string& name : service_names(plan)) {
        names.push_back(name);
        names.push_back(name + "/log");
    }
    return names;
}

std::optional<pid_t> find_svscan(const Plan& plan) {
    // Not by its name: what has the same name in a container, whose processes are seen here, is another
    // directory.
    struct stat ours {};
    if (::stat(plan.home.path("service").c_str(), &ours) != 0) return std::nullopt;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const auto pid = parse_number(entry.path().filename().native());
        struct stat its {};
        if (!pid || ::stat((entry.path() / "cwd").c_str(), &its) != 0) continue;
        if (its.st_dev != ours.st_dev || its.st_ino != ours.st_ino) continue;
        if (read_proc(entry.path() / "comm") == "svscan\n" &&
            is_administrators(static_cast<pid_t>(*pid), plan))
            return static_cast<pid_t>(*pid);
    }
    return std::nullopt;
}

// svscan and supervise run as root whatever they find.
static void refuse_foreign_services(const Plan& plan) {
    if (::geteuid() != 0) return;
    std::vector<std::string> all = {"service"};
    for (const std::string& name : plan.tree->names("service"))
        for (const char* part : {"", "/run", "/log", "/log/run"}) all.push_back("service/" + name + part);
    for (const std::string& path : all)
        if (const auto info = plan.tree->look(path); info && info->st_uid != 0)
            throw_permanent("unable to start: " + plan.tree->path_of(path) + " belongs to uid " +
                            std::to_string(info->st_uid) +
                            ", and root would run what is there (qmail-setup --check " +
                            plan.home.directory() + ")");
}

void start_svscan(const Plan& plan) {
    refuse_foreign_services(plan);
    const pid_t middle = ::fork();
    if (middle < 0) throw_errno("fork", "svscan");
    if (middle == 0) {
        // Twice, so that svscan is nobody's child and qmailctl can end.
        try {
            const pid_t child = ::fork();
            if (child == 0) become_svscan(plan);
            ::_exit(child < 0 ? 111 : 0);
        } catch (const Error&) {
            ::_exit(111);
        }
    }
    int status = 0;
    while (::waitpid(middle, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) throw Error(Reaction::temporary, "unable to start svscan");
}

Sessions::Sessions(const Plan& plan) {
    std::set<std::uint64_t> servers;
    for (const std::string& name : service_names(plan))
        if (name != "qmail-send") servers.insert(static_cast<std::uint64_t>(service_state(plan, name).pid));
    servers.erase(0);
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const auto pid = parse_number(entry.path().filename().native());
        if (!pid) continue;
        const auto is_session = [&] {
            const auto seen = look_at_process(static_cast<pid_t>(*pid));
            return seen && servers.contains(static_cast<std::uint64_t>(seen->parent));
        };
        if (!is_session()) continue;
        Fd process(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(*pid), 0)));
        // Once more: the number may have become another's before it was held.
        if (process && is_session()) processes_.push_back(std::move(process));
    }
}

void Sessions::end(Seconds patience) {
    const Deadline deadline = Deadline::in(patience);
    for (const Fd& process : processes_)
        if (!wait_readable(process.get(), deadline))
            ::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0);
}

void tell(const Plan& plan, const std::vector<std::string>& names, const std::string& letters) {
    std::vector<std::string> words = {"svc", "-" + letters};
    for (const std::string& name : names) words.push_back(service_directory(plan, name));
    const CommandResult result = capture(words, Deadline::in(Seconds(20)));
    if (!result.output.empty() || !result.ok())
        throw Error(Reaction::temporary, "svc -" + letters + ": " + result.output);
}

std::vector<std::string> systemd_units(const Plan& plan) {
    // systemd's own escaping of a path: "/" becomes "-", what is not plain becomes \xNN.
    const CommandResult escaped =
        capture({"systemd-escape", "--path", plan.home.directory()}, Deadline::in(Seconds(10)));
    const std::string name(trim(escaped.output));
    std::vector<std::string> units = {"relais-send@" + name + ".service",
                                      "relais-smtpd@" + name + ".service"};
    if (!plan.submission.empty()) units.push_back("relais-submission@" + name + ".service");
    if (!plan.submissions.empty()) units.push_back("relais-submissions@" + name + ".service");
    if (!plan.pop3.empty()) units.push_back("relais-pop3d@" + name + ".service");
    if (!plan.pop3s.empty()) units.push_back("relais-pop3s@" + name + ".service");
    return units;
}

bool systemd_keeps(const Plan& plan) {
    if (::access("/run/systemd/system", F_OK) != 0) return false;
    const std::string unit = systemd_units(plan).front();
    const Deadline deadline = Deadline::in(Seconds(20));
    return capture({"systemctl", "--quiet", "is-active", unit}, deadline).ok() ||
           capture({"systemctl", "--quiet", "is-enabled", unit}, deadline).ok();
}

bool wait_until(const std::function<bool()>& condition, Deadline deadline) {
    while (!condition()) {
        if (deadline.passed()) return false;
        ::poll(nullptr, 0, 50);
    }
    return true;
}

}  // namespace relais::setup
