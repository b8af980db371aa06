#include "setup/programs.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/io.h"
#include "setup/mend.h"

namespace relais::setup {
using control::Owner;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t piece_size = std::size_t{1} << 16;

constexpr std::string_view closed[] = {
    "checkpassword", "open-smtp-allow", "open-smtpd",   "qmail-authd",   "qmail-console", "qmail-countd",
    "qmail-getpw",   "qmail-keyd",      "qmail-lspawn", "qmail-metrics", "qmail-milterd", "qmail-pop3d",
    "qmail-popd",    "qmail-popup",     "qmail-queued", "qmail-rcptd",   "qmail-remote",  "qmail-resolver",
    "qmail-rspawn",  "qmail-send",      "qmail-smtpd",  "qmail-stsd",    "qmail-traced"};

const HeldDirectory& programs() {
    static const HeldDirectory held(program_directory());
    return held;
}

// Those that only their owner can read, opened while this process could.
const std::map<std::string, Fd>& held_programs() {
    static const std::map<std::string, Fd> held = [] {
        std::map<std::string, Fd> all;
        for (const std::string_view name : closed)
            if (Fd fd(::openat(programs().fd(), std::string(name).c_str(), O_RDONLY | O_CLOEXEC)); fd)
                all.emplace(name, std::move(fd));
        return all;
    }();
    return held;
}

// The status of a program in a directory, through links there; nothing if it is none that this user may run.
std::optional<struct stat> look_at_program(const HeldDirectory& directory, const std::string& name) {
    struct stat info {};
    if (::fstatat(directory.fd(), name.c_str(), &info, 0) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    if (::faccessat(directory.fd(), name.c_str(), X_OK, AT_EACCESS) != 0) return std::nullopt;
    return info;
}

void copy(int from, int to, const std::string& path) {
    std::array<char, piece_size> piece{};
    while (const std::size_t count = read_some(from, piece, Deadline::never()))
        write_all(to, std::string_view(piece.data(), count), Deadline::never());
    if (::fsync(to) != 0) throw_errno("sync", path);
}

// Beside the old one, which may be running.
void copy_program(const Plan& plan, const HeldDirectory& bin, const std::string& name) {
    const std::string beside = name + ".new";
    const auto held = held_programs().find(name);
    const Fd from(held == held_programs().end()
                      ? ::openat(programs().fd(), name.c_str(), O_RDONLY | O_CLOEXEC)
                      : ::fcntl(held->second.get(), F_DUPFD_CLOEXEC, 0));
    if (!from || ::lseek(from.get(), 0, SEEK_SET) != 0) throw_errno("open", programs().path_of(name));
    if (::unlinkat(bin.fd(), beside.c_str(), 0) != 0 && errno != ENOENT)
        throw_errno("remove", bin.path_of(beside));
    const Fd to = bin.open(beside, O_WRONLY | O_CREAT | O_EXCL, 0600);
    copy(from.get(), to.get(), bin.path_of(beside));
    set_owner_and_mode(to.get(), bin.path_of(beside), plan.identity.administrator(), mode_of_program(name));
    if (::renameat(bin.fd(), beside.c_str(), bin.fd(), name.c_str()) != 0)
        throw_errno("rename to", bin.path_of(name));
}

bool is_same(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// bin for looking, whatever link leads there; nothing is mended through one.
std::optional<HeldDirectory> used_bin(const Plan& plan) {
    const auto root = plan.tree->directory("");
    Fd bin(root ? ::openat(root->fd(), "bin", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1);
    return bin ? std::optional<HeldDirectory>(std::in_place, std::move(bin), root->path_of("bin"))
               : std::nullopt;
}

// Copies, and not a link to where the programs are.
bool is_copied(const Plan& plan) {
    struct stat info {};
    const auto root = plan.tree->directory("");
    return root && root->look("bin", info) && S_ISDIR(info.st_mode);
}

// True if bin holds a copy of another build than the one that looks.
bool copy_is_old(const HeldDirectory& bin, const std::string& name) {
    const auto ours = look_at_program(programs(), name), its = look_at_program(bin, name);
    if (!ours || !its || is_same(*ours, *its)) return false;
    const auto time = [](const struct stat& info) {
        return std::pair(info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    };
    return ours->st_size != its->st_size || time(*ours) > time(*its);
}

}  // namespace

void hold_programs() {
    (void)held_programs();
}

mode_t mode_of_program(std::string_view name) {
    return std::ranges::find(closed, name) != std::ranges::end(closed) ? 0711 : 0755;
}

std::span<const std::string_view> closed_programs() {
    return closed;
}

std::string program_directory() {
    return fs::read_symlink("/proc/self/exe").parent_path();
}

std::string program(const std::string& name) {
    const std::string path = programs().path_of(name);
    if (::access(path.c_str(), X_OK) == 0) return path;
    return fmt::format("/proc/self/fd/{}/{}", programs().fd(), name);
}

bool leads_to_programs(const Plan& plan) {
    const auto bin = used_bin(plan);
    struct stat ours {
    }, its{};
    return bin && ::fstat(programs().fd(), &ours) == 0 && ::fstat(bin->fd(), &its) == 0 && is_same(ours, its);
}

void place_programs(const Plan& plan) {
    const auto root = plan.tree->directory("");
    if (!root) throw_errno("open", plan.home.directory());
    struct stat info {};
    bool there = root->look("bin", info);
    if (leads_to_programs(plan)) return;
    if (there && S_ISLNK(info.st_mode)) {
        if (::unlinkat(root->fd(), "bin", 0) != 0) throw_errno("remove", root->path_of("bin"));
        there = false;
    }
    const std::string source = program_directory();
    if (!there && first_closed_directory(source, plan.identity).empty()) {
        if (::symlinkat(source.c_str(), root->fd(), "bin") != 0)
            throw_errno("make the link", root->path_of("bin"));
        return;
    }
    root->make_directory("bin", 0700);
    const auto bin = plan.tree->directory("bin");
    if (!bin) throw_errno("open", root->path_of("bin"));
    for (const std::string& name : programs().names())
        if (look_at_program(programs(), name)) copy_program(plan, *bin, name);
    set_owner_and_mode(bin->fd(), bin->path(), plan.identity.administrator(), 0755);
}

void inspect_programs(const Plan& plan, std::vector<Finding>& findings) {
    const auto bin = used_bin(plan);
    const bool copied = is_copied(plan);
    for (const std::string& name : vital_programs) {
        const std::string path = plan.home.path("bin/" + name);
        if (!bin || !look_at_program(*bin, name))
            findings.push_back(
                {path + " is missing", look_at_program(programs(), name)
                                           ? std::function<void()>([&plan] { place_programs(plan); })
                                           : nullptr});
        else if (copied && copy_is_old(*bin, name))
            findings.push_back({path + " is a copy of an older build", [&plan] { place_programs(plan); }});
    }
}

void inspect_copies(const Plan& plan, std::vector<Finding>& findings) {
    if (!is_copied(plan)) return;
    const Owner owner = plan.identity.administrator();
    std::vector<std::string> all = plan.tree->names("bin");
    for (std::string& name : all) name = "bin/" + name;
    all.insert(all.begin(), "bin");
    for (const std::string& path : all) {
        const auto info = plan.tree->look(path);
        if (!info || S_ISLNK(info->st_mode)) continue;
        const std::string full = plan.tree->path_of(path);
        if (info->st_uid != owner.uid)
            findings.push_back(
                {fmt::format("{} belongs to {}, who could change what root runs: remove {} and let "
                             "qmail-setup --repair copy the programs anew",
                             full, owner_text({info->st_uid, info->st_gid}), plan.home.path("bin")),
                 nullptr});
        if ((info->st_mode & 0111) == 0111) continue;
        const Wanted wanted{S_ISDIR(info->st_mode) ? Type::directory : Type::file, owner,
                            mode_of_program(name_of(path))};
        findings.push_back(
            {full + " cannot be executed by the users of the instance" + refusal(*plan.tree, *info, wanted),
             remedy(plan.tree, path, *info, wanted)});
    }
}

}  // namespace relais::setup
