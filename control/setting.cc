#include "control/setting.h"

namespace relais::control::detail {

std::uint64_t read_number(const Home& home, const ControlFile& row) {
    return std::clamp(control::read_number(home, row.name, default_number(row)), row.least, row.most);
}

std::string read_line(const Home& home, const ControlFile& row) {
    auto line = control::read_line(home, row.name);
    if (line && !(line->empty() && row.empty_is_missing)) return *std::move(line);
    return row.me_default ? read_me(home) : std::string(row.fallback);
}

std::vector<std::string> read_lines(const Home& home, const ControlFile& row) {
    if (auto lines = control::read_lines(home, row.name)) return *std::move(lines);
    if (row.me_default) return {read_me(home)};
    if (row.fallback.empty()) return {};
    return {std::string(row.fallback)};
}

}  // namespace relais::control::detail
