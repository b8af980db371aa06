#include "policy/recipient_check.h"

#include <utility>

#include "base/idna.h"
#include "base/text.h"

namespace relais::policy {
namespace {

RecipientCheck::Mode mode_named(std::string_view word) {
    if (equal_ignoring_case(word, "on")) return RecipientCheck::Mode::on;
    return equal_ignoring_case(word, "log") ? RecipientCheck::Mode::log : RecipientCheck::Mode::off;
}

}  // namespace

RecipientCheck::RecipientCheck(const std::vector<std::string>& lines) {
    bool first = true;
    for (const std::string& line : lines) {
        const std::string_view text = trim(line);
        if (std::exchange(first, false)) {
            mode_ = mode_named(text);
            continue;
        }
        const std::size_t end = text.find_first_of(" \t");
        if (end == std::string_view::npos) continue;
        domains_[comparable(text.substr(0, end))] = mode_named(trim(text.substr(end)));
    }
}

RecipientCheck::Mode RecipientCheck::mode_of(std::string_view domain) const {
    if (domains_.empty()) return mode_;
    const std::string name = comparable(domain);
    if (const auto found = domains_.find(name); found != domains_.end()) return found->second;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
        if (const auto found = domains_.find(name.substr(dot)); found != domains_.end()) return found->second;
    return mode_;
}

}  // namespace relais::policy
