#include "setup/contents.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <set>

#include "control/secret_file.h"
#include "control/table.h"
#include "opensmtp/store.h"
#include "setup/entries.h"
#include "start/daemons.h"

namespace relais::setup {

using control::Owner;
using control::Role;

namespace {

// A file that programs of several users read, and that holds no secret.
bool is_for_all(const std::string& folder, const std::string& name) {
    if (folder == "users") return name == "cdb";
    const control::ControlFile* row = control::find_control_file(name);
    return row != nullptr && row->kind != control::FileKind::pem && !control::may_hold_passwords(name) &&
           name != "srs_secrets";
}

// Nobody of ours makes one there, and nothing is mended through it.
void inspect_link(const Plan& plan, const Entry& entry, std::vector<Finding>& findings) {
    if (S_ISLNK(entry.info.st_mode))
        findings.push_back(
            {plan.tree->path_of(entry.path) + " is a link and does not belong there", nullptr});
}

bool is_log_file(const std::string& name) {
    static const std::set<std::string> names = {"current",  "lock",      "newstate",
                                                "previous", "processed", "state"};
    return name.starts_with("@") || names.contains(name);
}

}  // namespace

void inspect_control(const Plan& plan, std::vector<Finding>& findings) {
    std::set<std::string> in_table;
    for (const Piece& piece : layout(plan)) in_table.insert(piece.path);
    for (const std::string folder : {"control", "users"}) {
        for (const Entry& entry : entries(plan, folder)) {
            if (!S_ISREG(entry.info.st_mode) || in_table.contains(entry.path)) continue;
            const std::string path = plan.tree->path_of(entry.path);
            const Owner owner{entry.info.st_uid, entry.info.st_gid};
            // What holds private keys is closed altogether.
            const mode_t mode = entry.info.st_mode & (entry.name.starts_with("servercert") ? 07700 : 07755);
            if ((entry.info.st_mode & 022) != 0)
                add_finding(plan, entry.path, entry.info, path + " can be written by others than its owner",
                            {Type::file, owner, mode}, findings);
            if (!plan.identity.single && is_for_all(folder, entry.name) && (mode & 0444) != 0444)
                add_finding(
                    plan, entry.path, entry.info,
                    path + " cannot be read by everybody, and so perhaps not by the program that needs it",
                    {Type::file, owner, (mode & 0644) | 0444}, findings);
        }
    }
}

void inspect_sockets(const Plan& plan, std::vector<Finding>& findings) {
    start::for_each_socket([&](const start::Descriptor& socket) {
        const std::string path = "sockets/" + std::string(socket.name);
        const Owner owner = socket.client ? plan.identity.of(*socket.client) : plan.identity.administrator();
        const auto info = plan.tree->look(path);
        if (!info || !S_ISSOCK(info->st_mode)) return;
        if (info->st_uid == owner.uid && (info->st_mode & 07777) == socket.mode) return;
        add_finding(plan, path, *info, as_found(plan, path, *info), {Type::socket, owner, socket.mode},
                    findings);
    });
}

void inspect_logs(const Plan& plan, std::vector<Finding>& findings) {
    const Owner owner = plan.identity.of(Role::qmaill);
    for (const Entry& directory : entries(plan, "log")) {
        inspect_link(plan, directory, findings);
        for (const Entry& file : entries(plan, directory.path)) {
            inspect_link(plan, file, findings);
            // multilog marks with x what it has closed.
            if (is_log_file(file.name))
                inspect_possession(plan, file.path, file.info,
                                   {Type::file, owner, (file.info.st_mode & 0755) | 0600}, findings);
        }
    }
}

void inspect_logins(const Plan& plan, std::vector<Finding>& findings) {
    const Owner owner = plan.identity.of(Role::qmailo);
    for (const Entry& entry : entries(plan, "open-smtp")) inspect_link(plan, entry, findings);
    for (unsigned split = 0; split < opensmtp::store_splits; ++split) {
        const std::string directory = "open-smtp/" + std::to_string(split);
        if (const auto info = plan.tree->look(directory))
            inspect_possession(plan, directory, *info, {Type::directory, owner, 0750}, findings);
        for (const Entry& file : entries(plan, directory)) {
            inspect_link(plan, file, findings);
            if (opensmtp::address_of_file(file.name))
                inspect_possession(plan, file.path, file.info, {Type::file, owner, 0640}, findings);
        }
    }
}

void inspect_alias(const Plan& plan, std::vector<Finding>& findings) {
    const Owner owner = plan.identity.of(Role::alias);
    for (const Entry& file : entries(plan, "alias")) {
        if (!S_ISREG(file.info.st_mode) || !file.name.starts_with(".qmail")) continue;
        const mode_t readable = file.info.st_uid == owner.uid   ? 0400
                                : file.info.st_gid == owner.gid ? 0040
                                                                : 0004;
        if ((file.info.st_mode & readable) != 0 && (file.info.st_mode & 02) == 0) continue;
        add_finding(plan, file.path, file.info, as_found(plan, file.path, file.info) + ": mail for it waits",
                    {Type::file, owner, 0644}, findings);
    }
}

}  // namespace relais::setup
