#include "listen/places.h"

#include "opensmtp/address.h"

namespace relais::listen {

std::string neighbourhood(std::string_view ip) {
    return opensmtp::network64(ip).value_or(std::string(ip));
}

bool Places::full_for(std::string_view ip) const {
    if (per_neighbourhood_ == 0) return false;
    const auto same = by_neighbourhood_.find(neighbourhood(ip));
    return same != by_neighbourhood_.end() && same->second >= per_neighbourhood_;
}

void Places::take(std::string_view ip) {
    ++taken_;
    ++by_neighbourhood_[neighbourhood(ip)];
}

void Places::release(std::string_view ip) {
    const auto same = by_neighbourhood_.find(neighbourhood(ip));
    if (same == by_neighbourhood_.end()) return;
    --taken_;
    if (--same->second == 0) by_neighbourhood_.erase(same);
}

}  // namespace relais::listen
