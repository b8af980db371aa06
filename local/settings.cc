#include "local/settings.h"

#include "control/setting.h"

namespace relais::local {

namespace {

std::optional<Seconds> limit(std::chrono::seconds seconds) {
    if (seconds.count() == 0) return std::nullopt;
    return seconds;
}

}  // namespace

std::optional<Seconds> program_limit(const control::Home& instance) {
    return limit(control::read<"timeoutlocal">(instance));
}

std::optional<Seconds> delivery_limit(const control::Home& instance) {
    return limit(control::read<"deadlinelocal">(instance));
}

Srs read_srs(const control::Home& instance) {
    const std::string domain = control::read<"srs_domain">(instance);
    if (domain.empty()) return {};
    return {domain, control::read<"srs_secrets">(instance)};
}

Srs read_srs_domain(const control::Home& instance) {
    return {control::read<"srs_domain">(instance), {}};
}

}  // namespace relais::local
