#include "setup/process_table.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/text.h"

namespace relais::setup {
namespace {

std::string of_process(pid_t pid, const char* file) {
    return "/proc/" + std::to_string(pid) + "/" + file;
}

bool is_one_file(const std::string& a, const std::string& b) {
    struct stat first {
    }, second{};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

std::string read_proc(const std::string& path) {
    try {
        return read_file(path, 4096).value_or("");
    } catch (const Error&) {
        return "";
    }
}

// PID (NAME) STATE PARENT ... START ...; a name may hold anything, so it is left at its last parenthesis.
std::optional<Seen> look_at_process(pid_t pid) {
    const std::string stat = read_proc(of_process(pid, "stat"));
    const std::size_t begin = stat.find('('), end = stat.rfind(')');
    if (begin == std::string::npos || end == std::string::npos) return std::nullopt;
    const auto fields = split(std::string_view(stat).substr(end + 1), ' ');
    constexpr std::size_t parent_field = 2, start_field = 20;
    if (fields.size() <= start_field) return std::nullopt;
    timespec since_boot{};
    ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
    const auto started =
        static_cast<std::int64_t>(parse_number(fields[start_field]).value_or(0)) / ::sysconf(_SC_CLK_TCK);
    return Seen{pid, static_cast<pid_t>(parse_number(fields[parent_field]).value_or(0)),
                stat.substr(begin + 1, end - begin - 1), since_boot.tv_sec - started};
}

// Not the owner of its files in /proc: those of a process that cannot be dumped are root's.
std::optional<Users> users_of(pid_t pid) {
    const std::string status = read_proc(of_process(pid, "status"));
    constexpr std::string_view field = "\nUid:\t";
    const std::size_t begin = status.find(field);
    if (begin == std::string::npos) return std::nullopt;
    const auto numbers = split(std::string_view(status).substr(begin + field.size()), '\t');
    const auto real = parse_number(numbers[0]);
    const auto effective = numbers.size() > 1 ? parse_number(numbers[1]) : std::nullopt;
    if (!real || !effective) return std::nullopt;
    return Users{static_cast<uid_t>(*real), static_cast<uid_t>(*effective)};
}

std::vector<Seen> all_processes() {
    std::vector<Seen> all;
    for (const auto& entry : std::filesystem::directory_iterator("/proc"))
        if (const auto pid = parse_number(entry.path().filename().native()))
            if (auto seen = look_at_process(static_cast<pid_t>(*pid))) all.push_back(*std::move(seen));
    return all;
}

bool has_ancestor(const Seen& seen, const std::function<bool(const Seen&)>& is_it) {
    // What is seen in several looks may be a ring.
    constexpr int most_generations = 64;
    auto each = look_at_process(seen.parent);
    for (int i = 0; each && i < most_generations; ++i) {
        if (is_it(*each)) return true;
        each = look_at_process(each->parent);
    }
    return false;
}

bool signal_process(pid_t pid, int signal_number, const std::function<bool(const Seen&)>& is_it) {
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process) return false;
    const auto seen = look_at_process(pid);
    return seen && is_it(*seen) &&
           ::syscall(SYS_pidfd_send_signal, process.get(), signal_number, nullptr, 0) == 0;
}

bool works_in(pid_t pid, const std::string& directory) {
    return is_one_file(directory, of_process(pid, "cwd"));
}

bool writes_to_pipe(pid_t pid) {
    struct stat info {};
    return ::stat(of_process(pid, "fd/2").c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
}

bool writes_to(pid_t writer, pid_t reader) {
    return is_one_file(of_process(writer, "fd/2"), of_process(reader, "fd/0"));
}

}  // namespace relais::setup
