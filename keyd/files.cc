#include "keyd/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>

#include "base/error.h"
#include "base/io.h"
#include "base/unix_socket.h"
#include "keyd/mail_keys.h"
#include "net/dns_name.h"

namespace relais::keyd {
namespace {

constexpr std::size_t name_limit = 512;
constexpr std::size_t file_limit = std::size_t{1} << 20;
constexpr std::size_t files_limit = 4000;
constexpr std::uint32_t events =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;

// As many links as the kernel follows.
constexpr int links_limit = 40;

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/') + 1);
}

// The directories whose changes change what a path leads to: its own, and those of all links on the way. A
// tool that renews certificates turns the one in the middle.
void append_directories(std::string path, std::vector<std::string>& to) {
    for (int i = 0; i < links_limit; ++i) {
        const std::string directory = directory_of(path);
        to.push_back(directory);
        std::array<char, PATH_MAX> target{};
        const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
        if (size <= 0) return;
        const std::string_view next(target.data(), static_cast<std::size_t>(size));
        path = next.starts_with('/') ? std::string(next) : directory + std::string(next);
    }
}

// What else a server of TLS reads from control/.
constexpr std::array settings_files = {"clientca.pem", "tlsclients", "tlsserverciphers", "tlsminversion"};

}  // namespace

bool send_file(int socket, const std::string& name, int fd) {
    return send_packet(socket, "f" + name, fd);
}

std::optional<SentFile> receive_file(int socket) {
    auto packet = receive_packet(socket, name_limit);
    if (!packet || packet->data.empty()) return std::nullopt;
    return SentFile{packet->data.substr(1), std::move(packet->passed)};
}

SecretText read_secret(int fd) {
    // The C library's fstat is a call by which files can be found, and forbidden here.
    const off_t size = ::lseek(fd, 0, SEEK_END);
    if (size < 0) throw_errno("look at", "a certificate file");
    if (static_cast<std::size_t>(size) > file_limit) throw_errno("read", "a certificate file", EFBIG);
    SecretText text(static_cast<std::size_t>(size));
    std::size_t have = 0;
    while (have < text.view().size()) {
        const ssize_t count =
            ::pread(fd, text.data() + have, text.view().size() - have, static_cast<off_t>(have));
        if (count < 0 && errno != EINTR) throw_errno("read", "a certificate file");
        if (count == 0) break;
        if (count > 0) have += static_cast<std::size_t>(count);
    }
    text.shrink(have);
    return text;
}

FileWatch::FileWatch(control::Home home)
    : home_(std::move(home)), inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (!inotify_) throw_errno("watch", "files");
}

namespace {

// The names in a directory, in order, at most so many; none if it cannot be read.
std::vector<std::string> list_directory(const std::string& path, std::size_t limit) {
    struct Close {
        void operator()(DIR* open) const { ::closedir(open); }
    };
    std::vector<std::string> found;
    const std::unique_ptr<DIR, Close> directory(::opendir(path.c_str()));
    while (directory != nullptr && found.size() < limit) {
        const dirent* entry = ::readdir(directory.get());
        if (entry == nullptr) break;
        found.emplace_back(entry->d_name);
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

std::vector<std::string> FileWatch::names() const {
    std::vector<std::string> found = {"servercert.pem", "servercert.key"};
    for (const std::string& name : list_directory(home_.control_file("servercerts"), files_limit))
        if (name[0] != '.' && (name.ends_with(".pem") || name.ends_with(".key")))
            found.push_back("servercerts/" + name);
    for (const std::string& folder : mail_key_folders())
        for (const std::string& name : list_directory(home_.control_file(folder), files_limit))
            // What an interrupted write has left is no key.
            if ((net::is_askable_name(name) || name == selectors_in_use) && found.size() < files_limit)
                found.push_back(folder + "/" + name);
    return found;
}

std::vector<std::string> FileWatch::mail_key_folders() const {
    std::vector<std::string> found;
    for (const std::string& domain :
         list_directory(home_.control_file(std::string(mail_key_folder)), files_limit))
        if (net::is_askable_name(domain)) found.push_back(std::string(mail_key_folder) + domain);
    return found;
}

Fd FileWatch::open(const std::string& name) const {
    // Links are followed: certificates live where a tool renews them. O_NONBLOCK: whatever lies there.
    Fd fd(::open(home_.control_file(name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat info {};
    if (fd && (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))) fd.reset();
    return fd;
}

std::string FileWatch::describe() const {
    std::string text;
    const auto add = [&](const std::string& name) {
        struct stat info {};
        if (::stat(home_.control_file(name).c_str(), &info) != 0) return;
        text += name;
        for (const auto value :
             {static_cast<std::int64_t>(info.st_ino), static_cast<std::int64_t>(info.st_size),
              static_cast<std::int64_t>(info.st_mtim.tv_sec), static_cast<std::int64_t>(info.st_mtim.tv_nsec),
              static_cast<std::int64_t>(info.st_ctim.tv_sec),
              static_cast<std::int64_t>(info.st_ctim.tv_nsec)})
            text += " " + std::to_string(value);
        text += '\n';
    };
    for (const std::string& name : names()) add(name);
    for (const char* name : settings_files) add(name);
    return text;
}

bool FileWatch::changed() {
    std::string now = describe() + ".";
    const bool differs = now != last_;
    last_ = std::move(now);
    return differs;
}

void FileWatch::refresh() {
    std::array<char, 8192> buffer;
    while (::read(inotify_.get(), buffer.data(), buffer.size()) > 0) continue;
    // A directory that is watched already stays as it is.
    std::vector<std::string> directories = {home_.path("control"), home_.control_file("servercerts")};
    directories.push_back(home_.control_file(std::string(mail_key_folder)));
    for (const std::string& folder : mail_key_folders())
        directories.push_back(home_.control_file(folder) + "/");
    for (const std::string& name : names()) append_directories(home_.control_file(name), directories);
    for (const char* name : settings_files) append_directories(home_.control_file(name), directories);
    std::sort(directories.begin(), directories.end());
    directories.erase(std::unique(directories.begin(), directories.end()), directories.end());
    for (const std::string& directory : directories)
        ::inotify_add_watch(inotify_.get(), directory.c_str(), events | IN_ONLYDIR);
}

}  // namespace relais::keyd
