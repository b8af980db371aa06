// Control files, users/assign and the .qmail files of alias, from a qmail installation into an instance: each
// once.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/held_directory.h"
#include "setup/layout.h"

namespace relais::setup {

struct OldSetting {
    enum class Fate {
        take,
        taken,    // before: what the instance has now stays
        stays,    // the instance has its own
        by_hand,  // certificates, directories, mail
        unknown,  // nothing here reads it
        fault,
    };
    std::string path;  // below both directories
    Fate fate = Fate::take;
    std::string text{};     // why, for people
    std::string content{};  // of what is taken
    mode_t mode = 0644;
    control::Owner owner{};
};

// What has been taken before: "imported" in the instance's directory. Throws Error.
std::set<std::string> settings_taken(const Plan& plan);
// Reads, and decides. plan may be null: for a look at the installation alone. Throws Error.
std::vector<OldSetting> old_settings(const HeldDirectory& installation, const Plan* plan);
// Whose a setting is here, by its path: those that may hold passwords are qmailr's, closed to everybody
// else.
void set_owner(OldSetting& setting, const Plan& plan);
// Writes those that are to be taken, and remembers them. Throws Error.
void take_settings(const Plan& plan, const std::vector<OldSetting>& settings);

}  // namespace relais::setup
