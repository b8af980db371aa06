#include "http/budgets.h"

#include <algorithm>

namespace relais::http {

bool Budgets::take(const std::string& client, Clock::time_point now) {
    const double most = 2 * per_second_;
    const auto found = places_.find(client);
    if (found != places_.end()) {
        order_.splice(order_.end(), order_, found->second);
    } else {
        if (order_.size() >= limit_) {
            places_.erase(order_.front().client);
            order_.pop_front();
        }
        order_.push_back({client, most, now});
        places_[client] = std::prev(order_.end());
    }
    Bucket& bucket = order_.back();
    const double passed = std::chrono::duration<double>(now - bucket.counted).count();
    bucket.counted = now;
    bucket.tokens = std::min(most, bucket.tokens + passed * per_second_);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
}

}  // namespace relais::http
