#include "control/check_modes.h"

#include "base/text.h"
#include "base/words.h"

namespace relais::control {
namespace {

constexpr std::array<std::string_view, 5> mode_words = {"off", "log", "tag", "defer", "refuse"};

std::optional<CheckMode> mode_named(std::string_view word) {
    for (std::size_t i = 0; i < mode_words.size(); ++i)
        if (equal_ignoring_case(word, mode_words[i])) return static_cast<CheckMode>(i);
    return std::nullopt;
}

std::size_t index_of(const KnownCheck& check) {
    return static_cast<std::size_t>(&check - known_checks.data());
}

}  // namespace

const KnownCheck* find_check(std::string_view name) {
    for (const KnownCheck& check : known_checks)
        if (equal_ignoring_case(check.name, name)) return &check;
    return nullptr;
}

const KnownCheck* later_check_of(std::string_view file) {
    for (const KnownCheck& check : known_checks)
        if (!check.older && !file.empty() && check.file == file) return &check;
    return nullptr;
}

std::string_view to_text(CheckMode mode) {
    return mode_words[static_cast<std::size_t>(mode)];
}

CheckModes::CheckModes(const std::optional<std::vector<std::string>>& lines) : has_file_(lines.has_value()) {
    if (!lines) return;
    for (const std::string& line : *lines) {
        const auto parts = words_of(line);
        if (const auto read = parse(parts)) words_[index_of(*find_check(parts[0]))] = *read;
    }
}

CheckMode CheckModes::of(const KnownCheck& check) const {
    if (!has_file_ && !check.older) return CheckMode::off;
    return words_[index_of(check)].mode.value_or(check.fallback);
}

bool CheckModes::passes_unknown(const KnownCheck& check) const {
    const CheckMode mode = of(check);
    return words_[index_of(check)].passes_unknown.value_or(mode != CheckMode::defer &&
                                                           mode != CheckMode::refuse);
}

std::optional<CheckModes::Words> CheckModes::parse(const std::vector<std::string_view>& words) {
    if (words.size() < 2 || words.size() > 3 || find_check(words[0]) == nullptr) return std::nullopt;
    Words result{mode_named(words[1])};
    if (!result.mode) return std::nullopt;
    if (words.size() == 2) return result;
    result.passes_unknown = equal_ignoring_case(words[2], "pass");
    if (!*result.passes_unknown && !equal_ignoring_case(words[2], "defer")) return std::nullopt;
    return result;
}

std::string CheckModes::fault(std::string_view line) {
    const auto parts = words_of(line);
    if (parts.empty()) return "";
    if (find_check(parts[0]) == nullptr) return "\"" + std::string(parts[0]) + "\" is no check";
    if (!parse(parts))
        return "\"" + std::string(line) + "\" is not NAME, off, log, tag, defer or refuse, and pass or defer";
    return "";
}

}  // namespace relais::control
