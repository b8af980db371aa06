#include "send/plan.h"

#include <algorithm>

namespace relais::send {

std::uint32_t Plan::domain_key(std::string_view address) {
    const std::size_t at = address.rfind('@');
    std::uint32_t key = 2166136261U;  // FNV-1a
    if (at == std::string_view::npos) return key;
    for (const char c : address.substr(at + 1)) {
        const auto octet = static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        key = (key ^ octet) * 16777619U;
    }
    return key;
}

void Plan::add(std::vector<Planned> recipients) {
    if (empty()) clear();
    // As one number each: there may be a million of them, and nothing else happens meanwhile.
    const auto rank = [](const Planned& each) { return std::uint64_t{each.domain} << 32 | each.recipient; };
    std::sort(recipients.begin(), recipients.end(),
              [&](const Planned& a, const Planned& b) { return rank(a) < rank(b); });
    order_.reserve(order_.size() + recipients.size());
    begins_.reserve(order_.size() + recipients.size());
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        order_.push_back(recipients[i].recipient);
        begins_.push_back(i == 0 || recipients[i].domain != recipients[i - 1].domain);
    }
    if (empty()) take_run();
}

std::optional<std::uint32_t> Plan::next() const {
    return empty() ? std::nullopt : std::optional(order_[run_.begin]);
}

void Plan::advance() {
    if (++run_.begin == run_.end) take_run();
}

bool Plan::put_aside() {
    aside_.push_back(run_);
    take_run();
    return !aside_.empty() || at_ < order_.size();
}

void Plan::take_run() {
    run_ = {};
    if (at_ < order_.size()) {
        run_ = {at_, at_ + 1};
        while (run_.end < order_.size() && !begins_[run_.end]) ++run_.end;
        at_ = run_.end;
    } else if (!aside_.empty()) {
        run_ = aside_.front();
        aside_.pop_front();
    }
}

}  // namespace relais::send
