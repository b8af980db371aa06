#include "setup/entries.h"

#include <fmt/core.h>
#include <sys/stat.h>

namespace relais::setup {

std::vector<Entry> entries(const Plan& plan, const std::string& directory) {
    std::vector<Entry> all;
    const auto held = plan.tree->directory(directory);
    if (!held) return all;
    for (const std::string& name : plan.tree->names(directory)) {
        Entry entry{directory + "/" + name, name};
        if (held->look(name, entry.info)) all.push_back(std::move(entry));
    }
    return all;
}

std::string as_found(const Plan& plan, const std::string& path, const struct stat& info) {
    return fmt::format("{} belongs to {} with mode {:o}", plan.tree->path_of(path),
                       owner_text({info.st_uid, info.st_gid}), info.st_mode & 07777);
}

void add_finding(const Plan& plan, const std::string& path, const struct stat& info, const std::string& text,
                 const Wanted& wanted, std::vector<Finding>& findings) {
    findings.push_back({text + refusal(*plan.tree, info, wanted), remedy(plan.tree, path, info, wanted)});
}

void inspect_possession(const Plan& plan, const std::string& path, const struct stat& info,
                        const Wanted& wanted, std::vector<Finding>& findings) {
    if (!is_type(info, wanted.type)) return;
    if (info.st_uid == wanted.owner.uid && (info.st_mode & 0600) == 0600) return;
    add_finding(plan, path, info, as_found(plan, path, info), wanted, findings);
}

}  // namespace relais::setup
