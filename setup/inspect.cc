#include "setup/inspect.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/sys.h"
#include "control/secret_file.h"
#include "setup/contents.h"
#include "setup/databases.h"
#include "setup/mend.h"

namespace relais::setup {

using control::Owner;
using control::Role;
namespace fs = std::filesystem;

namespace {

std::string place(const Plan& plan, const std::string& path) {
    return path.empty() ? plan.home.directory() : plan.home.path(path);
}

// A new file at a place where there was none; a link that somebody puts there meanwhile is not followed.
void write_new(const std::string& path, const std::string& content) {
    const Fd fd(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) throw_errno("create", path);
    write_all(fd.get(), content, Deadline::never());
    if (sys::fsync(fd.get()) != 0) throw_errno("sync", path);
}

void make(const Plan& plan, const Piece& piece) {
    const std::string path = place(plan, piece.path);
    if (piece.kind == Kind::directory) {
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw_errno("make the directory", path);
    } else if (piece.content) {
        write_new(path, piece.content());
    } else {
        compile_databases(plan);
    }
    set_owner_and_mode(path, piece.kind == Kind::directory, piece.owner, piece.mode);
}

bool mode_is_right(const Piece& piece, mode_t mode) {
    if (piece.kind == Kind::settings) return (mode & 0444) == 0444 && (mode & 07022) == 0;
    if (piece.kind == Kind::secret) return (mode & 077) == 0;
    return mode == piece.mode;
}

void inspect_piece(const Plan& plan, const Piece& piece, std::vector<Finding>& findings) {
    const std::string path = place(plan, piece.path);
    const bool directory = piece.kind == Kind::directory;
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == EACCES) return;  // inspect_closed names the directory
        if (errno != ENOENT) throw_errno("look at", path);
        // Nobody but the administrator knows the name of this host.
        if (piece.path == "control/me")
            findings.push_back(
                {path + " is missing: echo mail.example.org >" + path + ", with this host's name", nullptr});
        else if (piece.vital)
            findings.push_back({path + " is missing", [&plan, piece] { make(plan, piece); }});
        return;
    }
    // A link to where a tool renews the certificate; what is wrong with that one, qmail-showctl says.
    if (piece.kind == Kind::secret && S_ISLNK(info.st_mode)) return;
    if (directory ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode)) {
        findings.push_back({path + (directory ? " is not a directory" : " is not a plain file"), nullptr});
        return;
    }
    const auto mend = [path, directory, piece] {
        set_owner_and_mode(path, directory, piece.owner, piece.mode);
    };
    if (info.st_uid != piece.owner.uid || info.st_gid != piece.owner.gid)
        findings.push_back({fmt::format("{} belongs to {}, not to {}", path,
                                        owner_text({info.st_uid, info.st_gid}), owner_text(piece.owner)),
                            mend});
    if (const mode_t mode = info.st_mode & 07777; !mode_is_right(piece, mode))
        findings.push_back({fmt::format("{} has mode {:o}, not {:o}", path, mode, piece.mode), mend});
}

// What qmail-remote would refuse to read, or could not.
void inspect_passwords(const Plan& plan, std::vector<Finding>& findings) {
    const Owner owner = plan.identity.of(Role::qmailr);
    for (const char* name : {"smtproutes", "authsenders"}) {
        const std::string path = plan.home.control_file(name);
        if (::access(path.c_str(), F_OK) != 0) continue;
        if (::access(path.c_str(), R_OK) != 0) {
            findings.push_back({"unable to open " + path + ": " + errno_text(errno), nullptr, true});
            continue;
        }
        const auto lines = control::SecretLines::read_unchecked(plan.home, name);
        const auto wrong = lines ? lines->exposure(owner.uid) : std::nullopt;
        if (wrong)
            findings.push_back(
                {path + ": " + *wrong, [path, owner] { set_owner_and_mode(path, false, owner, 0400); }});
    }
}

// Passwords' hashes, and passwords: root's alone, or the one user's.
void inspect_secrets(const Plan& plan, std::vector<Finding>& findings) {
    for (const char* name : {"users/passwd", "users/passwd.cdb", "users/passwd.tmp"}) {
        const std::string path = plan.home.path(name);
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0) continue;
        if (!S_ISREG(info.st_mode)) {
            findings.push_back({path + " is not a plain file", nullptr});
            continue;
        }
        const Owner owner = plan.identity.administrator();
        const mode_t mode = info.st_mode & 07777;
        if (mode == 0600 && info.st_uid == owner.uid) continue;
        findings.push_back(
            {fmt::format("{} has passwords; it belongs to {} with mode {:o}, not to {} with mode 600", path,
                         owner_text({info.st_uid, info.st_gid}), mode, owner_text(owner)),
             [path, owner] { set_owner_and_mode(path, false, owner, 0600); }});
    }
}

bool is_below(const std::string& path, const std::string& directory) {
    return path.starts_with(directory + "/");
}

// Directories that this user may not look into, without those below them: one finding for all.
void inspect_closed(const Plan& plan, std::vector<Finding>& findings) {
    std::string text, last;
    for (const Piece& piece : layout(plan)) {
        if (piece.kind != Kind::directory || (!last.empty() && is_below(piece.path, last))) continue;
        if (::access(place(plan, piece.path).c_str(), R_OK | X_OK) == 0 || errno != EACCES) continue;
        if (!last.empty()) text += ", ";
        text += last = piece.path.empty() ? "." : piece.path;
    }
    if (!text.empty())
        findings.push_back({fmt::format("unable to look into {} (in {}): {}", text, plan.home.directory(),
                                        errno_text(EACCES)),
                            nullptr, true});
}

bool is_program(const fs::path& path) {
    return ::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path);
}

// A link where everybody in the instance can follow it, copies otherwise.
void place_programs(const Plan& plan) {
    const fs::path source = program_directory(), bin = plan.home.path("bin");
    if (fs::equivalent(source, bin.parent_path() / "bin")) return;
    if (fs::is_symlink(bin)) fs::remove(bin);
    if (!fs::exists(bin) && first_closed_directory(source, plan.identity).empty()) {
        fs::create_directory_symlink(source, bin);
        return;
    }
    fs::create_directory(bin);
    for (const auto& entry : fs::directory_iterator(source)) {
        if (!is_program(entry.path())) continue;
        const fs::path target = bin / entry.path().filename();
        const fs::path beside = target.native() + ".new";
        fs::copy_file(entry.path(), beside, fs::copy_options::overwrite_existing);
        set_owner_and_mode(beside, false, plan.identity.administrator(), 0755);
        fs::rename(beside, target);
    }
    set_owner_and_mode(bin, true, plan.identity.administrator(), 0755);
}

// True if bin holds a copy of another build than the one that looks.
bool copy_is_old(const fs::path& source, const fs::path& bin, const std::string& name) {
    if (fs::is_symlink(bin) || !is_program(source / name) || fs::equivalent(source, bin)) return false;
    return fs::file_size(source / name) != fs::file_size(bin / name) ||
           fs::last_write_time(source / name) > fs::last_write_time(bin / name);
}

void inspect_programs(const Plan& plan, std::vector<Finding>& findings) {
    const fs::path bin = plan.home.path("bin");
    for (const std::string& name : vital_programs) {
        if (!is_program(bin / name)) {
            const bool mendable = is_program(fs::path(program_directory()) / name);
            findings.push_back(
                {(bin / name).native() + " is missing",
                 mendable ? std::function<void()>([&plan] { place_programs(plan); }) : nullptr});
        } else if (copy_is_old(program_directory(), bin, name)) {
            findings.push_back(
                {(bin / name).native() + " is a copy of an older build", [&plan] { place_programs(plan); }});
        }
    }
}

// The users that share the roles' names, when the instance was made for those.
void inspect_users(const Plan& plan, std::vector<Finding>& findings) {
    for (const Role role : plan.identity.missing)
        findings.push_back({"control/owners has no line for " + std::string(control::Owners::name(role)) +
                                ": it is older than this version",
                            nullptr});
    if (!plan.identity.missing.empty()) return;
    if (!plan.identity.single && plan.identity.owners.empty()) return;
    bool any_named = false;
    for (const auto& [role, owner] : plan.identity.owners) {
        const struct passwd* entry = ::getpwuid(owner.uid);
        any_named = any_named || (entry != nullptr && entry->pw_name == control::Owners::name(role));
    }
    if (!any_named) return;
    for (const auto& [role, owner] : plan.identity.owners) {
        const std::string name(control::Owners::name(role));
        const struct passwd* entry = ::getpwnam(name.c_str());
        if (entry == nullptr || entry->pw_uid != owner.uid)
            findings.push_back(
                {fmt::format("control/owners says that {} is uid {}, the system says {}", name, owner.uid,
                             entry != nullptr ? std::to_string(entry->pw_uid) : "that there is no such user"),
                 nullptr});
    }
}

void refuse_bad_place(const Plan& plan) {
    const std::string& directory = plan.home.directory();
    if (directory.size() > home_length_limit)
        throw_permanent(
            fmt::format("{} is too long by {} octets: the paths of unix sockets below it are limited to 107",
                        directory, directory.size() - home_length_limit));
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+@,";
    if (directory.find_first_not_of(plain) != std::string::npos)
        throw_permanent(directory + " has a character that run scripts and users/assign cannot carry");
}

void refuse_closed_parent(const Plan& plan) {
    const std::string parent = fs::path(plan.home.directory()).parent_path();
    const std::string closed = first_closed_directory(parent, plan.identity);
    if (!closed.empty())
        throw_permanent(
            closed + " cannot be entered by the users of the instance: choose another place, or chmod a+x " +
            closed);
}

}  // namespace

std::string program_directory() {
    return fs::read_symlink("/proc/self/exe").parent_path();
}

std::vector<Finding> inspect(const Plan& plan) {
    std::vector<Finding> findings;
    const std::string closed = first_closed_directory(plan.home.directory(), plan.identity);
    if (!closed.empty())
        findings.push_back(
            {closed + " cannot be entered by the users of the instance (chmod a+x " + closed + ")", nullptr});
    inspect_closed(plan, findings);
    inspect_users(plan, findings);
    for (const Piece& piece : layout(plan)) inspect_piece(plan, piece, findings);
    inspect_control(plan, findings);
    inspect_passwords(plan, findings);
    inspect_secrets(plan, findings);
    inspect_queue(plan, findings);
    inspect_sockets(plan, findings);
    inspect_logs(plan, findings);
    inspect_logins(plan, findings);
    inspect_alias(plan, findings);
    inspect_copies(plan, findings);
    inspect_programs(plan, findings);
    for (const std::string& text : old_databases(plan))
        findings.push_back({text, [&plan] { compile_databases(plan); }});
    return findings;
}

void create(const Plan& plan) {
    refuse_bad_place(plan);
    const fs::path directory = plan.home.directory();
    std::error_code missing;
    if (fs::exists(directory, missing) && !fs::is_empty(directory, missing))
        throw_permanent(
            directory.native() +
            " is not empty: qmail-setup never overwrites (qmail-setup --check looks at an instance)");
    fs::create_directories(directory.parent_path());
    refuse_closed_parent(plan);
    try {
        for (const Piece& piece : layout(plan)) make(plan, piece);
        place_programs(plan);
    } catch (...) {
        fs::remove_all(directory, missing);
        throw;
    }
}

}  // namespace relais::setup
