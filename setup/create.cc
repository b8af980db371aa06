#include "setup/create.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/io.h"
#include "base/privilege.h"
#include "base/sys.h"
#include "control/enter.h"
#include "setup/databases.h"
#include "setup/mend.h"
#include "setup/programs.h"

namespace relais::setup {
namespace fs = std::filesystem;

namespace {

// A new file at a place where there was none; a link that somebody puts there meanwhile is not followed.
Fd write_new(const HeldDirectory& directory, const std::string& name, const std::string& content) {
    Fd fd = directory.open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    write_all(fd.get(), content, Deadline::never());
    if (sys::fsync(fd.get()) != 0) throw_errno("sync", directory.path_of(name));
    return fd;
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

// Why root may not make something there: part of the way is somebody else's.
std::string trouble_on_the_way(const fs::path& directory) {
    fs::path there = directory;
    while (!fs::exists(there)) there = there.parent_path();
    return control::foreign_parent((there / "x").native());
}

void become_the_user(const Plan& plan) {
    const control::Owner user = plan.identity.administrator();
    drop_privilege(user.uid, user.gid);
}

// The instance's directory, and in the end the user whose it is.
void take_place(const Plan& plan) {
    const fs::path directory = plan.home.directory();
    if (::geteuid() == 0) {
        const std::string trouble = trouble_on_the_way(directory);
        if (!trouble.empty() && !plan.identity.single)
            throw_permanent(trouble +
                            ": an instance of several users must be root's with all directories "
                            "above it; choose another place");
        if (!trouble.empty()) become_the_user(plan);
    }
    fs::create_directories(directory.parent_path());
    refuse_closed_parent(plan);
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        throw_errno("make the directory", directory.native());
    if (::geteuid() != 0 || !plan.identity.single) return;
    const HeldDirectory held(directory);
    set_owner_and_mode(held.fd(), directory, plan.identity.administrator(), 0700);
    become_the_user(plan);
}

// DNSSEC's trust anchors, where a package of the system keeps them up to date (dns-root-data).
constexpr const char* trust_anchors = "/usr/share/dns/root.key";

void link_trust_anchors(const Plan& plan) {
    if (::access(trust_anchors, R_OK) != 0) return;
    const auto control = plan.tree->directory("control");
    if (!control) throw_errno("open", plan.home.path("control"));
    if (::symlinkat(trust_anchors, control->fd(), "dnsanchors") != 0)
        throw_errno("make the link", control->path_of("dnsanchors"));
}

}  // namespace

void make(const Plan& plan, const Piece& piece) {
    const auto directory = plan.tree->directory(parent_of(piece.path));
    if (!directory) throw_errno("open", plan.tree->path_of(parent_of(piece.path)));
    if (piece.kind == Kind::directory) {
        if (!piece.path.empty()) directory->make_directory(name_of(piece.path), 0700);
    } else if (piece.content) {
        const Fd file = write_new(*directory, name_of(piece.path), piece.content());
        return set_owner_and_mode(file.get(), plan.tree->path_of(piece.path), piece.owner, piece.mode);
    } else {
        compile_databases(plan);
    }
    const Type type = piece.kind == Kind::directory ? Type::directory : Type::file;
    set_owner_and_mode(*plan.tree, piece.path, {type, piece.owner, piece.mode});
}

void create(Plan& plan) {
    refuse_bad_place(plan);
    const fs::path directory = plan.home.directory();
    std::error_code missing;
    if (fs::exists(directory, missing) && !fs::is_empty(directory, missing))
        throw_permanent(
            directory.native() +
            " is not empty: qmail-setup never overwrites (qmail-setup --check looks at an instance)");
    take_place(plan);
    plan.tree = std::make_shared<const Tree>(plan.home, plan.identity);
    try {
        for (const Piece& piece : layout(plan)) make(plan, piece);
        link_trust_anchors(plan);
        place_programs(plan);
    } catch (...) {
        fs::remove_all(directory, missing);
        throw;
    }
}

}  // namespace relais::setup
