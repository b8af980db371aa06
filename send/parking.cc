#include "send/parking.h"

namespace relais::send {

std::size_t Parking::count(Number destination) const {
    const auto found = lots_.find(destination);
    return found == lots_.end() ? 0 : found->second.waiting.size();
}

std::vector<queue::MessageId> Parking::at(Number destination) const {
    const auto found = lots_.find(destination);
    if (found == lots_.end()) return {};
    return {found->second.waiting.begin(), found->second.waiting.end()};
}

std::vector<Parking::Number> Parking::destinations() const {
    std::vector<Number> all;
    for (const auto& [number, lot] : lots_)
        if (!lot.waiting.empty()) all.push_back(number);
    return all;
}

void Parking::clear() {
    lots_.clear();
    called_.clear();
}

void Parking::call(Number destination) {
    const auto found = lots_.find(destination);
    if (found == lots_.end() || found->second.called || found->second.waiting.empty()) return;
    found->second.called = true;
    called_.push_back(destination);
}

std::optional<Parking::Number> Parking::called() const {
    return called_.empty() ? std::nullopt : std::optional(called_.front());
}

queue::MessageId Parking::take() {
    std::deque<queue::MessageId>& waiting = lots_.at(called_.front()).waiting;
    const queue::MessageId id = waiting.front();
    waiting.pop_front();
    return id;
}

void Parking::end_turn() {
    const auto found = lots_.find(called_.front());
    called_.pop_front();
    found->second.called = false;
    if (found->second.waiting.empty()) lots_.erase(found);
}

}  // namespace relais::send
