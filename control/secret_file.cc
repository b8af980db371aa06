#include "control/secret_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "control/watched.h"

namespace relais::control {
namespace {

constexpr std::size_t size_limit = std::size_t{16} << 20;
constexpr mode_t others = 077;

std::string_view without_trailing_blanks(std::string_view line) {
    const std::size_t last = line.find_last_not_of(" \t\r");
    return last == std::string_view::npos ? std::string_view() : line.substr(0, last + 1);
}

// Into memory that never moves, so that no copy of it is left behind.
std::string read_all(int fd, std::uint64_t size, const std::string& path) {
    if (size > size_limit) throw_errno("read", path, EFBIG);
    std::string content(std::max<std::size_t>(size, 64), '\0');
    std::size_t have = 0;
    while (have < content.size()) {
        const ssize_t count = ::read(fd, content.data() + have, content.size() - have);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("read", path);
        if (count == 0) break;
        have += static_cast<std::size_t>(count);
    }
    content.resize(have);
    return content;
}

std::vector<std::string_view> lines_of(std::string_view content) {
    std::vector<std::string_view> lines;
    for (const std::string_view line : split(content, '\n')) {
        const std::string_view text = without_trailing_blanks(line);
        if (!text.empty() && text.front() != '#') lines.push_back(text);
    }
    return lines;
}

std::string advice(const std::string& path) {
    return " (chown qmailr " + path + "; chmod 400 " + path + ")";
}

}  // namespace

bool may_hold_passwords(std::string_view name) {
    return name == "smtproutes" || name == "authsenders";
}

bool has_password(std::string_view line) {
    return line.find('|') != std::string_view::npos;
}

std::string without_password(std::string_view line) {
    const std::size_t first = line.find('|');
    if (first == std::string_view::npos) return std::string(line);
    const std::size_t second = line.find('|', first + 1);
    // Somebody who forgot the user has written the password in its place.
    return std::string(line.substr(0, second == std::string_view::npos ? first : second)) + "|...";
}

SecretLines::~SecretLines() {
    ::explicit_bzero(content_.data(), content_.size());
}

std::optional<SecretLines> SecretLines::read_unchecked(const Home& home, std::string_view name) {
    const std::string path = home.control_file(name);
    WatchList::note_read(path);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd && errno == ENOENT) return std::nullopt;
    if (!fd && errno == EACCES)
        throw Error(Reaction::temporary, "unable to open " + path + ": Permission denied" + advice(path),
                    EACCES);
    if (!fd) throw_errno("open", path);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) throw_errno("look at", path);
    if (!S_ISREG(status.st_mode)) throw_permanent("unable to read " + path + ": it is not a file");
    SecretLines result;
    result.owner_ = status.st_uid;
    result.mode_ = status.st_mode;
    result.content_ = read_all(fd.get(), static_cast<std::uint64_t>(status.st_size), path);
    result.lines_ = lines_of(result.content_);
    return result;
}

std::optional<SecretLines> SecretLines::read(const Home& home, std::string_view name) {
    auto result = read_unchecked(home, name);
    const std::string path = home.control_file(name);
    if (result && result->holds_password() && (result->mode_ & others) != 0)
        throw Error(Reaction::temporary, path + " holds passwords and others may read it" + advice(path));
    return result;
}

bool SecretLines::holds_password() const {
    return std::any_of(lines_.begin(), lines_.end(), has_password);
}

std::optional<std::string> SecretLines::exposure(uid_t owner) const {
    if (!holds_password()) return std::nullopt;
    if ((mode_ & others) != 0)
        return "it holds passwords and others may read it: no mail leaves (chown qmailr, chmod 400)";
    if (owner_ != owner)
        return "it holds passwords and does not belong to qmailr, who must read it (chown qmailr, chmod 400)";
    return std::nullopt;
}

}  // namespace relais::control
