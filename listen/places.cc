#include "listen/places.h"

#include <algorithm>

#include "base/text.h"
#include "opensmtp/address.h"

namespace relais::listen {

std::string neighbourhood(std::string_view ip) {
    return opensmtp::network64(ip).value_or(std::string(ip));
}

std::size_t share_of_one(std::string_view text, std::size_t places) {
    const bool is_share = text.ends_with('%');
    const auto number = parse_number(is_share ? text.substr(0, text.size() - 1) : text);
    if (!number || *number == 0) return 0;
    if (!is_share) return *number;
    return std::max<std::size_t>(places * std::min<std::size_t>(*number, 100) / 100, 1);
}

bool Places::full_for(std::string_view ip, std::size_t limit) const {
    if (limit == 0) return false;
    const auto same = by_neighbourhood_.find(neighbourhood(ip));
    return same != by_neighbourhood_.end() && same->second >= limit;
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
