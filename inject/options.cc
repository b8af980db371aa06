#include "inject/options.h"

namespace relais::inject {

std::optional<char> OptionReader::next() {
    value_.clear();
    if (position_ == 0) {
        if (index_ >= arguments_.size()) return std::nullopt;
        const std::string& argument = arguments_[index_];
        if (argument.size() < 2 || argument[0] != '-') return std::nullopt;
        if (argument == "--") {
            ++index_;
            return std::nullopt;
        }
        position_ = 1;
    }
    return take_letter();
}

char OptionReader::take_letter() {
    const std::string& argument = arguments_[index_];
    const char letter = argument[position_++];
    const std::size_t known = letter == ':' || letter == '?' ? std::string_view::npos : letters_.find(letter);
    const char kind =
        known != std::string_view::npos && known + 1 < letters_.size() ? letters_[known + 1] : ' ';
    const bool takes_value = known != std::string_view::npos && (kind == ':' || kind == '?');
    if (takes_value) value_ = argument.substr(position_);
    if (takes_value || position_ == argument.size()) {
        ++index_;
        position_ = 0;
    }
    if (takes_value && kind == ':' && value_.empty()) {
        if (index_ >= arguments_.size()) return '?';
        value_ = arguments_[index_++];
    }
    return known == std::string_view::npos ? '?' : letter;
}

Arguments OptionReader::rest() const {
    return {arguments_.begin() + static_cast<std::ptrdiff_t>(index_), arguments_.end()};
}

}  // namespace relais::inject
