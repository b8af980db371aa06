#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/text.h"
#include "control/rows.h"
#include "control/table.h"

namespace relais::control {
namespace {

constexpr std::array<std::string_view, 13> foreign = {
    "badrcptfrom", "bindroutes",  "clientcert.pem",    "domainkeys", "notlshosts",
    "rsa512.pem",  "spfexplain",  "spfguess",          "spfrules",   "tlsclientciphers",
    "tlshosts",    "validrcptto", "virtualdomains.cdb"};

// How many octets must be put in, taken out or changed to make b of a.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({changed, row[j] + 1, diagonal + 1});
        }
    }
    return row[b.size()];
}

}  // namespace

std::span<const ControlFile> control_files() {
    return rows::table;
}

const ControlFile* find_control_file(std::string_view name) {
    const auto found = std::find_if(rows::table.begin(), rows::table.end(),
                                    [&](const auto& row) { return row.name == name; });
    return found != rows::table.end() ? &*found : nullptr;
}

bool is_foreign_name(std::string_view name) {
    return std::find(foreign.begin(), foreign.end(), name) != foreign.end();
}

const ControlFile* nearest_control_file(std::string_view name) {
    if (name.size() > 64) return nullptr;
    const std::string mistyped = lower(name);
    const auto nearest =
        std::min_element(rows::table.begin(), rows::table.end(), [&](const auto& a, const auto& b) {
            return distance(mistyped, a.name) < distance(mistyped, b.name);
        });
    const std::size_t allowed = nearest->name.size() < 4 ? 0 : 2;
    return distance(mistyped, nearest->name) <= allowed ? &*nearest : nullptr;
}

}  // namespace relais::control
