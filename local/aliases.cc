#include "local/aliases.h"

#include "base/cdb.h"
#include "base/error.h"
#include "base/text.h"
#include "control/setting.h"

namespace relais::local {

std::string alias_instructions(const control::Home& home, const User& user) {
    if (user.dash != "-" || user.home != home.path("alias")) return {};
    const std::string source = control::read<"aliases">(home);
    if (source.empty()) return {};
    const std::string table = home.path("users/aliases.cdb");
    try {
        const std::string key = ":" + lower(user.extension) + "@";
        if (!CdbReader(table).find(key)) return {};
    } catch (const Error& error) {
        throw Error(Reaction::temporary, std::string("Unable to look into the aliases: ") + error.what() +
                                             "; newaliases makes them from " + source + ". (#4.3.0)");
    }
    return "|" + home.program("fastforward") + " -d " + table + "\n";
}

}  // namespace relais::local
