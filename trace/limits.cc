#include "base/program.h"
#include "base/text.h"
#include "control/amount.h"
#include "control/setting.h"
#include "trace/store.h"

namespace relais::trace {

std::optional<Limits> Limits::parse(std::string_view line) {
    const std::size_t blank = line.find(' ');
    const auto days = parse_number(line.substr(0, blank));
    const auto octets = blank == std::string_view::npos
                            ? std::optional(Limits{}.octets)
                            : control::parse_whole_amount(trim(line.substr(blank)));
    if (!days || !octets || *days == 0 || *days > 3660 || *octets < 1'000'000) return std::nullopt;
    return Limits{*days, *octets};
}

std::optional<Limits> Limits::read(const control::Home& home) {
    const std::string line = control::read<"keeptrace">(home);
    if (line.empty()) return std::nullopt;
    const auto limits = parse(line);
    if (!limits)
        log_line("warning: control/keeptrace: not \"DAYS OCTETS\", as 14 1G (1000000 octets at least): " +
                 line);
    return limits.value_or(Limits{});
}

}  // namespace relais::trace
