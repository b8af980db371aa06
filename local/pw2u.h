// users/assign from a passwd file: qmail-pw2u's rules.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "control/home.h"

namespace relais::local {

struct Pw2uOptions {
    enum class HomeCheck {
        skip_missing,     // -o: a user without a home of his own is skipped
        stop_at_missing,  // -h: one whose home is missing stops everything
        none,             // -H
    };
    HomeCheck home_check = HomeCheck::skip_missing;
    bool upper_case = false;      // -u: users with capital letters count
    char dash = '-';              // between user and extension; -c; NUL: none, -C
    bool in_directories = false;  // -/: home/.qmail-/ext in place of home/.qmail-ext
};

// What the files beside users/assign say.
struct Pw2uFiles {
    std::optional<std::unordered_set<std::string>> include;  // only these users, lower case
    std::unordered_set<std::string> exclude;
    std::map<std::string, std::vector<std::string>> mailnames;  // a user's other names, for him alone
    std::vector<std::string> subusers;                          // lines sub:user:pre:
    std::string append;                                         // as it is, at the end

    // users/include, exclude, mailnames, subusers and append of an instance. Throws Error.
    static Pw2uFiles read(const control::Home& home);
};

// The owner of a directory; nothing if there is none. Throws Error.
using OwnerOf = std::function<std::optional<uid_t>(const std::string& directory)>;

// The lines of users/assign, the last one too. alias_home: where the user alias has its .qmail files,
// whatever passwd says. Lines of passwd that are none are skipped. Throws a temporary Error when alias, the
// user of a subuser, or a home that must be there is missing.
std::string assign_of_passwd(std::string_view passwd, const Pw2uFiles& files, const Pw2uOptions& options,
                             const std::string& alias_home, const OwnerOf& owner_of);

}  // namespace relais::local
