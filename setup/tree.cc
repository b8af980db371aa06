#include "setup/tree.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/text.h"
#include "control/enter.h"

namespace relais::setup {
namespace {

// Follows links: see trouble_of_link.
Fd open_link(const HeldDirectory& from, const std::string& name) {
    return Fd(::openat(from.fd(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

std::string target_of(int held) {
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(held));
}

struct stat status_of(int held) {
    struct stat info {};
    if (::fstat(held, &info) != 0) throw_errno("look at", "what is held");
    return info;
}

}  // namespace

std::string parent_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

Tree::Tree(const control::Home& home, const Identity& identity)
    : root_(home.directory()), identity_(identity) {}

bool Tree::is_ours(uid_t owner) const {
    if (::geteuid() != 0 || owner == identity_.administrator().uid) return true;
    return std::any_of(identity_.owners.begin(), identity_.owners.end(), [&](const auto& each) {
        return identity_.has(each.first) && each.second.uid == owner;
    });
}

std::string Tree::trouble_of_link(const std::string& name) const {
    const uid_t administrator = identity_.administrator().uid;
    struct stat link {};
    if (!root_.look(name, link)) throw_errno("look at", path_of(name));
    if (link.st_uid != administrator) return fmt::format("it belongs to uid {}", link.st_uid);
    if ((status_of(root_.fd()).st_mode & 022) != 0) return "others may write into " + root_.path();
    const Fd target = open_link(root_, name);
    if (!target) return "it leads to no directory";
    if (identity_.single) return "";
    // Nothing but the mode says who may change a program; everything else has its row in layout().
    return control::foreign_parent(target_of(target.get()) + (name == "bin" ? "/" : ""));
}

Fd Tree::step(const HeldDirectory& from, const std::string& name) const {
    Fd next = from.hold(name);
    if (!next || !S_ISLNK(status_of(next.get()).st_mode)) return next;
    // Anywhere else the link itself is what there is.
    if (from.fd() != root_.fd() || !trouble_of_link(name).empty()) return next;
    return open_link(root_, name);
}

Fd Tree::hold(const std::string& path) const {
    if (path.empty()) return root_.hold("");
    const std::string parent = parent_of(path);
    if (parent.empty()) return step(root_, path);
    const auto from = directory(parent);
    return from ? from->hold(name_of(path)) : Fd();
}

std::optional<HeldDirectory> Tree::directory(const std::string& path) const {
    Fd held = hold(path);
    if (!held) {
        if (errno == ENOTDIR || errno == EXDEV) errno = ELOOP;
        return std::nullopt;
    }
    const struct stat info = status_of(held.get());
    if (!S_ISDIR(info.st_mode) || (!path.empty() && !is_ours(info.st_uid))) {
        errno = ELOOP;
        return std::nullopt;
    }
    return HeldDirectory(std::move(held), path_of(path));
}

std::optional<struct stat> Tree::look(const std::string& path) const {
    const Fd held = hold(path);
    return held ? std::optional(status_of(held.get())) : std::nullopt;
}

std::vector<std::string> Tree::names(const std::string& path) const {
    const auto held = directory(path);
    if (!held) return {};
    try {
        return held->names();
    } catch (const Error& error) {
        if (error.number() == EACCES) return {};  // inspect names the directory
        throw;
    }
}

}  // namespace relais::setup
