#include "setup/holders.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/printable.h"
#include "base/text.h"
#include "base/words.h"
#include "net/tcp_table.h"

namespace relais::setup {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t proc_limit = std::size_t{64} << 20;
constexpr std::size_t command_limit = 200;

// Views of the text.
std::vector<std::vector<std::string_view>> lines_of_words(std::string&&) = delete;
std::vector<std::vector<std::string_view>> lines_of_words(const std::string& text) {
    std::vector<std::vector<std::string_view>> lines;
    for (const std::string_view line : split(text, '\n')) lines.push_back(words_of(line));
    return lines;
}

// Empty when the process has gone or is not ours to see.
std::string read_proc(const std::string& path) {
    try {
        return read_file(path, proc_limit).value_or("");
    } catch (const Error&) {
        return "";
    }
}

std::string name_of(pid_t pid) {
    return std::string(trim(read_proc("/proc/" + std::to_string(pid) + "/comm")));
}

std::uint64_t hexadecimal(std::string_view text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return value;
}

void each_socket(const std::function<void(const net::TcpSocket&)>& visit) {
    for (const char* table : net::tcp_tables) net::each_tcp_socket(read_proc(table), visit);
}

// MAJOR:MINOR:INODE. The device that stat(2) names is another than the kernel's own on btrfs and overlays, so
// there the inode and the holder's name must do.
bool is_lock_on(std::string_view where, std::string_view holder, const struct stat& file) {
    const auto parts = split(where, ':');
    if (parts.size() != 3 || parse_number(parts[2]) != file.st_ino) return false;
    if (hexadecimal(parts[0]) == major(file.st_dev) && hexadecimal(parts[1]) == minor(file.st_dev))
        return true;
    const auto pid = parse_number(holder);
    return pid && name_of(static_cast<pid_t>(*pid)).starts_with("qmail-");
}

// "socket:[1234]"
std::optional<ino_t> socket_of(const fs::path& descriptor) {
    std::error_code refused;
    const std::string link = fs::read_symlink(descriptor, refused);
    constexpr std::string_view begin = "socket:[";
    if (!link.starts_with(begin) || !link.ends_with(']')) return std::nullopt;
    const auto inode =
        parse_number(std::string_view(link).substr(begin.size(), link.size() - begin.size() - 1));
    return inode ? std::optional<ino_t>(*inode) : std::nullopt;
}

bool has_one_of(std::uint64_t pid, const std::map<ino_t, uid_t>& sockets) {
    std::error_code refused;
    fs::directory_iterator descriptor("/proc/" + std::to_string(pid) + "/fd", refused);
    for (; !refused && descriptor != fs::directory_iterator(); descriptor.increment(refused)) {
        const auto socket = socket_of(descriptor->path());
        if (socket && sockets.contains(*socket)) return true;
    }
    return false;
}

bool has_file(pid_t pid, const struct stat& file) {
    std::error_code refused;
    fs::directory_iterator descriptor("/proc/" + std::to_string(pid) + "/fd", refused);
    for (; !refused && descriptor != fs::directory_iterator(); descriptor.increment(refused)) {
        struct stat its {};
        if (::stat(descriptor->path().c_str(), &its) == 0 && its.st_ino == file.st_ino &&
            its.st_dev == file.st_dev)
            return true;
    }
    return false;
}

// PID (NAME) STATE PARENT ...; a name may hold anything, so it is left at its last parenthesis. 0 when it has
// gone.
pid_t parent_of(pid_t pid) {
    const std::string stat = read_proc("/proc/" + std::to_string(pid) + "/stat");
    const auto fields = split(std::string_view(stat).substr(std::min(stat.rfind(')') + 1, stat.size())), ' ');
    return fields.size() < 3 ? 0 : static_cast<pid_t>(parse_number(fields[2]).value_or(0));
}

}  // namespace

// A line is "1: FLOCK  ADVISORY  WRITE 812 08:01:1234 0 EOF"; of those that wait the second word is "->".
bool is_held(const std::string& lock) {
    struct stat file {};
    if (::lstat(lock.c_str(), &file) != 0) {
        if (errno == ENOENT) return false;
        throw_errno("look at", lock);
    }
    const auto locks = read_file("/proc/locks", proc_limit);
    if (!locks) throw_errno("open", "/proc/locks", ENOENT);
    for (const auto& words : lines_of_words(*locks))
        if (words.size() >= 6 && words[1] == "FLOCK" && words[3] == "WRITE" &&
            is_lock_on(words[5], words[4], file))
            return true;
    return false;
}

bool runs_below(pid_t ancestor, const std::string& name) {
    std::error_code gone;
    for (fs::directory_iterator entry("/proc", gone); !gone && entry != fs::directory_iterator();
         entry.increment(gone)) {
        const auto pid = parse_number(entry->path().filename().native());
        if (pid && ancestor > 0 && name_of(static_cast<pid_t>(*pid)) == name &&
            descends(static_cast<pid_t>(*pid), ancestor))
            return true;
    }
    return false;
}

bool is_open_though_removed(const std::string& path) {
    std::error_code refused;
    const fs::path file(path);
    const fs::path directory = fs::weakly_canonical(file.parent_path(), refused);
    const std::string wanted = (directory / file.filename()).native() + " (deleted)";
    for (fs::directory_iterator entry("/proc", refused); !refused && entry != fs::directory_iterator();
         entry.increment(refused)) {
        if (!parse_number(entry->path().filename().native())) continue;
        std::error_code gone;
        fs::directory_iterator descriptor(entry->path() / "fd", gone);
        for (; !gone && descriptor != fs::directory_iterator(); descriptor.increment(gone)) {
            std::error_code closed;
            if (fs::read_symlink(descriptor->path(), closed) == wanted) return true;
        }
    }
    return false;
}

std::map<ino_t, uid_t> listeners(unsigned port, const std::string& address) {
    std::map<ino_t, uid_t> sockets;
    each_socket([&](const net::TcpSocket& socket) {
        if (socket.state != net::TcpState::listening || socket.port != port) return;
        const std::string local = net::tcp_address(socket.local).value_or("");
        const bool meets = address == "0" || local == address || local == "0.0.0.0" || local == "::" ||
                           address == "0.0.0.0" || address == "::";
        if (meets && socket.inode && socket.uid) sockets[*socket.inode] = *socket.uid;
    });
    return sockets;
}

std::map<std::string, std::size_t> clients(unsigned port) {
    std::map<std::string, std::size_t> count;
    each_socket([&](const net::TcpSocket& socket) {
        if (socket.is_connected() && socket.port == port)
            ++count[net::tcp_address(socket.remote).value_or("")];
    });
    return count;
}

std::vector<pid_t> holders(const std::map<ino_t, uid_t>& sockets) {
    std::vector<pid_t> pids;
    std::error_code gone;
    for (fs::directory_iterator entry("/proc", gone); !gone && entry != fs::directory_iterator();
         entry.increment(gone))
        if (const auto pid = parse_number(entry->path().filename().native()))
            if (has_one_of(*pid, sockets)) pids.push_back(static_cast<pid_t>(*pid));
    return pids;
}

std::vector<pid_t> holders_of_file(const std::string& path) {
    std::vector<pid_t> pids;
    struct stat file {};
    if (::stat(path.c_str(), &file) != 0) return pids;
    std::error_code gone;
    for (fs::directory_iterator entry("/proc", gone); !gone && entry != fs::directory_iterator();
         entry.increment(gone))
        if (const auto pid = parse_number(entry->path().filename().native()))
            if (has_file(static_cast<pid_t>(*pid), file)) pids.push_back(static_cast<pid_t>(*pid));
    return pids;
}

std::optional<bool> is_of_instance(pid_t pid, const std::string& home) {
    const std::string environment = read_proc("/proc/" + std::to_string(pid) + "/environ");
    if (environment.empty()) return std::nullopt;
    const auto variables = split(environment, '\0');
    return std::find(variables.begin(), variables.end(), "QMAILHOME=" + home) != variables.end();
}

bool descends(pid_t pid, pid_t ancestor) {
    while (pid > 1 && pid != ancestor) pid = parent_of(pid);
    return pid == ancestor;
}

std::string command_text(pid_t pid) {
    std::string words = read_proc("/proc/" + std::to_string(pid) + "/cmdline").substr(0, command_limit);
    while (words.ends_with('\0')) words.pop_back();
    std::replace(words.begin(), words.end(), '\0', ' ');
    return fmt::format("{} (pid {})", words.empty() ? name_of(pid) : printable(words), pid);
}

std::string process_text(pid_t pid) {
    return fmt::format("{} (pid {})", name_of(pid), pid);
}

}  // namespace relais::setup
