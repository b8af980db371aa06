#include "auth/limits.h"

#include <sodium.h>

#include <algorithm>

namespace relais::auth {
namespace {

struct Allowance {
    unsigned at_once;    // logins looked at together, while nothing has failed
    unsigned slow_from;  // failures from which on it is one at a time
};

constexpr Allowance allowance_of(Budget budget) {
    switch (budget) {
        case Budget::pair:
            return {8, 3};
        case Budget::network:
            return {16, 3};
        case Budget::site:
            return {32, 32};
        case Budget::account:
            return {16, 10};
    }
    return {1, 0};
}

// Many clients may share a site: their mistakes make the answers later only so often.
constexpr unsigned failures_per_site_step = 8;

std::string pair_name(const Asker& asker) {
    return asker.network + '\0' + asker.account;
}

// Tells equal secrets from different ones, and nothing else; never 0.
std::uint64_t trace_of(std::string_view secret) {
    static const auto key = [] {
        std::array<unsigned char, crypto_shorthash_KEYBYTES> drawn{};
        ::randombytes_buf(drawn.data(), drawn.size());
        return drawn;
    }();
    std::uint64_t value = 0;
    ::crypto_shorthash(reinterpret_cast<unsigned char*>(&value),
                       reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), key.data());
    return std::max<std::uint64_t>(value, 1);
}

}  // namespace

Asker LoginLimits::asker(std::string account, std::string_view address, std::int64_t now) const {
    Asker asker{std::move(account), client_of(address), site_of(address)};
    asker.trusted = trusted_.match(address).has_value();
    asker.familiar = !asker.account.empty() && familiar_.knows(asker.account, asker.network, now);
    return asker;
}

std::vector<Line> LoginLimits::lines_of(const Asker& asker) const {
    std::vector<Line> lines{{Budget::pair, pair_name(asker)}};
    if (asker.familiar) return lines;
    if (!asker.trusted) {
        lines.push_back({Budget::network, asker.network});
        if (!asker.site.empty()) lines.push_back({Budget::site, asker.site});
    }
    if (!asker.account.empty()) lines.push_back({Budget::account, asker.account});
    return lines;
}

unsigned LoginLimits::at_once(const Line& line, Clock::time_point now) const {
    const Allowance allowance = allowance_of(line.budget);
    const unsigned count = counted(line.budget).count(line.name, now);
    return count >= allowance.slow_from || count >= allowance.at_once ? 1 : allowance.at_once - count;
}

bool LoginLimits::remembers(const Asker& asker, Clock::time_point now) const {
    return counted(Budget::pair).count(pair_name(asker), now) < allowance_of(Budget::pair).slow_from;
}

LoginLimits::Failure LoginLimits::fail(const Asker& asker, std::string_view secret, Clock::time_point now) {
    Failure failure;
    failure.here = counted(Budget::pair).add(pair_name(asker), now, trace_of(secret));
    if (!asker.account.empty()) failure.account = counted(Budget::account).add(asker.account, now);
    if (!asker.trusted) {
        failure.network = counted(Budget::network).add(asker.network, now);
        if (!asker.site.empty()) failure.site = counted(Budget::site).add(asker.site, now);
    }
    failure.delay = failure_delay(
        std::max({failure.here, failure.network, failure.account, failure.site / failures_per_site_step}));
    return failure;
}

// Being turned away costs nothing, so it must not push out what has cost something.
unsigned LoginLimits::turn_away(const Asker& asker, Clock::time_point now) {
    if (!asker.account.empty()) counted(Budget::account).add_if_room(asker.account, now);
    return turned_away_.add(asker.network, now);
}

bool LoginLimits::succeed(const Asker& asker, std::int64_t now) {
    return asker.account.empty() || familiar_.add(asker.account, asker.network, now);
}

}  // namespace relais::auth
