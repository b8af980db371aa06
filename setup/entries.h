// What the inspections of an instance's directories have in common: entries are looked at below the held
// instance, and mended there.
#pragma once

#include <string>
#include <vector>

#include "setup/inspect.h"
#include "setup/mend.h"

namespace relais::setup {

struct Entry {
    std::string path;  // below the instance
    std::string name;
    struct stat info {};
};

// What is in a directory; nothing where there is none. A name that has gone meanwhile is left out.
std::vector<Entry> entries(const Plan& plan, const std::string& directory);

// "PATH belongs to USER:GROUP with mode MODE"; path is below the instance.
std::string as_found(const Plan& plan, const std::string& path, const struct stat& info);

// text says what is wrong, wanted what there should be.
void add_finding(const Plan& plan, const std::string& path, const struct stat& info, const std::string& text,
                 const Wanted& wanted, std::vector<Finding>& findings);

// Something of one role's alone, which its owner must be able to read and write.
void inspect_possession(const Plan& plan, const std::string& path, const struct stat& info,
                        const Wanted& wanted, std::vector<Finding>& findings);

}  // namespace relais::setup
