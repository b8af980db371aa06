#include "local/program_resources.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "control/setting.h"

namespace relais::local {
namespace {

constexpr std::array<std::pair<std::string_view, __rlimit_resource_t>, 7> resources = {{
    {"nproc", RLIMIT_NPROC},
    {"as", RLIMIT_AS},
    {"data", RLIMIT_DATA},
    {"cpu", RLIMIT_CPU},
    {"fsize", RLIMIT_FSIZE},
    {"nofile", RLIMIT_NOFILE},
    {"core", RLIMIT_CORE},
}};

}  // namespace

std::optional<ResourceLimit> parse_resource_limit(std::string_view line) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const auto number = parse_number(trim(line.substr(space)));
    const auto found = std::find_if(resources.begin(), resources.end(),
                                    [&](const auto& each) { return each.first == line.substr(0, space); });
    if (!number || found == resources.end()) return std::nullopt;
    return ResourceLimit{found->second, *number};
}

ProgramResources ProgramResources::read(const control::Home& instance, bool own_uid) {
    ProgramResources result;
    for (const std::string& line : control::read<"limitslocal">(instance)) {
        const auto limit = parse_resource_limit(line);
        if (!limit)
            throw Error(Reaction::temporary,
                        "Unable to run a program: control/limitslocal must have lines \"NAME NUMBER\", and "
                        "this is none: " +
                            line + " (#4.3.5)");
        if (limit->resource != RLIMIT_NPROC || own_uid) result.limits_.push_back(*limit);
    }
    return result;
}

bool ProgramResources::apply() const {
    for (const ResourceLimit& limit : limits_) {
        rlimit now{};
        if (::getrlimit(limit.resource, &now) != 0) return false;
        const rlim_t most = std::min(limit.most, now.rlim_max);
        const rlimit wanted{most, most};
        if (::setrlimit(limit.resource, &wanted) != 0) return false;
    }
    return true;
}

}  // namespace relais::local
