#include "queue/recipients.h"

#include <algorithm>

namespace relais::queue {

void Recipients::push_back(const Recipient& recipient) {
    if (recipient.options.said())
        options_.emplace_back(static_cast<std::uint32_t>(size()), recipient.options);
    places_.push_back(static_cast<std::uint32_t>(octets_.size()));
    octets_ += static_cast<char>(recipient.mark);
    octets_ += recipient.address;
    octets_ += '\0';
}

void Recipients::set_options(std::vector<mail::RecipientOptions> options) {
    options_.clear();
    for (std::size_t i = 0; i < options.size(); ++i)
        if (options[i].said()) options_.emplace_back(static_cast<std::uint32_t>(i), std::move(options[i]));
}

std::string_view Recipients::address(std::size_t i) const {
    const std::size_t begin = places_[i] + std::size_t{1};
    return std::string_view(octets_).substr(begin, octets_.find('\0', begin) - begin);
}

const mail::RecipientOptions& Recipients::options(std::size_t i) const {
    static const mail::RecipientOptions none;
    const auto said =
        std::lower_bound(options_.begin(), options_.end(), i,
                         [](const auto& each, std::size_t index) { return each.first < index; });
    return said != options_.end() && said->first == i ? said->second : none;
}

const Recipient Recipients::operator[](std::size_t i) const {
    return {std::string(address(i)), mark(i), offset_ + places_[i], options(i)};
}

}  // namespace relais::queue
