#include "setup/inspect.h"

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "explain/audit.h"
#include "setup/contents.h"
#include "setup/create.h"
#include "setup/databases.h"
#include "setup/mend.h"
#include "setup/programs.h"
#include "setup/secrets.h"

namespace relais::setup {

using control::Owner;
using control::Role;
namespace fs = std::filesystem;

namespace {

Wanted wanted(const Piece& piece) {
    return {piece.kind == Kind::directory ? Type::directory : Type::file, piece.owner, piece.mode};
}

bool mode_is_right(const Piece& piece, mode_t mode) {
    if (piece.kind == Kind::settings) return (mode & 0444) == 0444 && (mode & 07022) == 0;
    if (piece.kind == Kind::secret) return (mode & 077) == 0;
    return mode == piece.mode;
}

// A directory in the instance's own: the administrator may have made a link of it.
bool is_linkable(const Piece& piece) {
    return piece.kind == Kind::directory && !piece.path.empty() && parent_of(piece.path).empty();
}

constexpr std::string_view certificate = "control/servercert.pem";

// A server speaks TLS from the first octet, and has no other certificate for it.
bool needs_certificate(const Plan& plan) {
    return (!plan.submissions.empty() || !plan.pop3s.empty()) &&
           plan.tree->names("control/servercerts").empty();
}

void inspect_missing(const Plan& plan, const Piece& piece, std::vector<Finding>& findings) {
    const std::string path = plan.tree->path_of(piece.path);
    // Nobody but the administrator knows the name of this host.
    if (piece.path == "control/me")
        findings.push_back(
            {path + " is missing: echo mail.example.org >" + path + ", with this host's name", nullptr});
    else if (piece.vital || (piece.path == certificate && needs_certificate(plan)))
        findings.push_back({path + " is missing", [&plan, piece] { make(plan, piece); }});
}

void inspect_piece(const Plan& plan, const Piece& piece, std::vector<Finding>& findings) {
    const std::string path = plan.tree->path_of(piece.path);
    const auto info = plan.tree->look(piece.path);
    if (!info) {
        // What is in the way is named by itself, and a closed directory by inspect_closed.
        if (errno == EACCES || errno == ELOOP) return;
        if (errno != ENOENT) throw_errno("look at", path);
        return inspect_missing(plan, piece, findings);
    }
    // A link to where a tool renews the certificate; what is wrong with that one, qmail-showctl says.
    if (piece.kind == Kind::secret && S_ISLNK(info->st_mode)) return;
    if (!is_type(*info, wanted(piece).type)) {
        // inspect_links has more to say.
        if (S_ISLNK(info->st_mode) && is_linkable(piece)) return;
        findings.push_back(
            {path + (piece.kind == Kind::directory ? " is not a directory" : " is not a plain file"),
             nullptr});
        return;
    }
    const auto add = [&](const std::string& text) {
        findings.push_back({text + refusal(*plan.tree, *info, wanted(piece)),
                            remedy(plan.tree, piece.path, *info, wanted(piece))});
    };
    if (info->st_uid != piece.owner.uid || info->st_gid != piece.owner.gid)
        add(fmt::format("{} belongs to {}, not to {}", path, owner_text({info->st_uid, info->st_gid}),
                        owner_text(piece.owner)));
    if (const mode_t mode = info->st_mode & 07777; !mode_is_right(piece, mode))
        add(fmt::format("{} has mode {:o}, not {:o}", path, mode, piece.mode));
}

void inspect_link(const Plan& plan, const std::string& name, std::vector<Finding>& findings) {
    const auto root = plan.tree->directory("");
    struct stat info {};
    if (!root || !root->look(name, info) || !S_ISLNK(info.st_mode)) return;
    // Once the mode of the instance's own directory is mended, only the administrator can make one.
    if (const auto own = plan.tree->look(""); !own || (own->st_mode & 022) != 0) return;
    const std::string trouble = plan.tree->trouble_of_link(name);
    std::error_code unreadable;
    const std::string text =
        plan.home.path(name) + " is a link to " + fs::read_symlink(plan.home.path(name), unreadable).native();
    if (!trouble.empty())
        findings.push_back(
            {text + (name == "bin" ? ", whose programs root runs: " : ", which is not followed: ") + trouble,
             nullptr});
    else if (name != "bin" || !leads_to_programs(plan))
        findings.push_back({text, nullptr, false, true});
}

// Links that the administrator has made in the instance's directory, and those of certificates.
void inspect_links(const Plan& plan, std::vector<Finding>& findings) {
    for (const Piece& piece : layout(plan))
        if (is_linkable(piece)) inspect_link(plan, piece.path, findings);
    inspect_link(plan, "bin", findings);
    for (const std::string& name : plan.tree->names("control")) {
        const auto info = plan.tree->look("control/" + name);
        if (!info || !S_ISLNK(info->st_mode)) continue;
        const std::string path = plan.home.control_file(name);
        const bool good = info->st_uid == plan.identity.administrator().uid;
        std::error_code unreadable;
        findings.push_back({path + " is a link to " + fs::read_symlink(path, unreadable).native() +
                                (good ? "" : fmt::format(", which uid {} has made", info->st_uid)),
                            nullptr, false, good});
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
        if (::access(plan.tree->path_of(piece.path).c_str(), R_OK | X_OK) == 0 || errno != EACCES) continue;
        if (!last.empty()) text += ", ";
        text += last = piece.path.empty() ? "." : piece.path;
    }
    if (!text.empty())
        findings.push_back({fmt::format("unable to look into {} (in {}): {}", text, plan.home.directory(),
                                        errno_text(EACCES)),
                            nullptr, true});
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

// A repair is no consent to what the administrator wrote into tcp.smtp and has not compiled.
void compile_unless_strangers_relay(const Plan& plan) {
    for (const explain::AuditFinding& finding : explain::audit(plan.home))
        if (finding.level == explain::Level::open_relay_soon)
            throw_permanent("nothing is compiled, for the rules would let strangers relay: " + finding.text +
                            "; mend them, then qmailctl cdb");
    compile_databases(plan);
}

}  // namespace

std::vector<Finding> inspect(const Plan& plan) {
    std::vector<Finding> findings;
    const std::string closed = first_closed_directory(plan.home.directory(), plan.identity);
    if (!closed.empty())
        findings.push_back(
            {closed + " cannot be entered by the users of the instance (chmod a+x " + closed + ")", nullptr});
    inspect_closed(plan, findings);
    inspect_users(plan, findings);
    inspect_links(plan, findings);
    for (const Piece& piece : layout(plan)) inspect_piece(plan, piece, findings);
    inspect_control(plan, findings);
    inspect_passwords(plan, findings);
    inspect_accounts(plan, findings);
    inspect_queue(plan, findings);
    inspect_sockets(plan, findings);
    inspect_logs(plan, findings);
    inspect_logins(plan, findings);
    inspect_alias(plan, findings);
    inspect_copies(plan, findings);
    inspect_programs(plan, findings);
    for (const std::string& text : old_databases(plan))
        findings.push_back({text, [&plan] { compile_unless_strangers_relay(plan); }});
    return findings;
}

}  // namespace relais::setup
