#include "summary/numbers.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "base/words.h"
#include "metrics/levels.h"

namespace relais::summary {
namespace {

constexpr std::string_view first_line = "relais summary 1";
constexpr std::size_t key_limit = 100;

bool take_seconds(std::string_view line, std::string_view word, std::uint64_t& seconds) {
    const auto words = words_of(line);
    if (words.size() != 2 || words[0] != word) return false;
    const auto number = parse_number(words[1]);
    if (number) seconds = *number;
    return number.has_value();
}

}  // namespace

Numbers numbers_of(const metrics::Pages& pages) {
    Numbers numbers;
    for (const metrics::Metric& metric : metrics::table) {
        if (metric.kind != metrics::Kind::counter || !pages.contains(metric.role)) continue;
        const auto values = split(metric.values, ' ');
        for (const std::string_view value : values) {
            const std::uint64_t counted = metrics::sum(pages, metric.key, value);
            if (counted == 0) continue;
            numbers[std::string(metric.key) + (value.empty() ? "" : "/" + std::string(value))] = counted;
        }
    }
    const metrics::Levels levels = metrics::levels_of(pages);
    if (!levels.known) return numbers;
    numbers["level/queue"] = levels.queue;
    numbers["level/held"] = levels.held;
    numbers["level/damaged"] = levels.damaged;
    return numbers;
}

Numbers growth(const Numbers& from, const Numbers& to) {
    Numbers grown;
    for (const auto& [key, now] : to) {
        if (key.starts_with("level/")) continue;
        const auto known = from.find(key);
        const std::uint64_t before = known == from.end() || known->second > now ? 0 : known->second;
        if (now > before) grown[key] = now - before;
    }
    return grown;
}

std::uint64_t sum(const Numbers& numbers, std::string_view key, std::string_view value) {
    std::uint64_t all = 0;
    const std::string wanted = std::string(key) + "/" + std::string(value);
    for (const auto& [name, number] : numbers)
        if (value.empty() ? name == key || name.starts_with(wanted) : name == wanted) all += number;
    return all;
}

std::string encode(const Numbers& numbers, std::string_view word) {
    std::string text;
    for (const auto& [key, number] : numbers) text += fmt::format("{} {} {}\n", word, key, number);
    return text;
}

bool take_number(std::string_view line, std::string_view word, Numbers& numbers) {
    const auto words = words_of(line);
    if (words.size() != 3 || words[0] != word || words[1].size() > key_limit ||
        numbers.size() >= numbers_limit)
        return false;
    if (safe_for_log(words[1]) != words[1]) return false;
    const auto number = parse_number(words[2]);
    // As metrics/page.h has it: nothing counts as far.
    if (!number || *number > std::uint64_t{1} << 53) return false;
    numbers[std::string(words[1])] = *number;
    return true;
}

std::string encode(const State& state) {
    std::string text = fmt::format("{}\nsince {}\n", first_line, state.since);
    if (state.before != 0) text += fmt::format("before {}\n", state.before);
    if (state.trying != 0) text += fmt::format("trying {}\n", state.trying);
    return text + encode(state.counted) + encode(state.earlier, "earlier");
}

std::optional<State> parse_state(std::string_view text) {
    const auto lines = split(text, '\n');
    if (lines.front() != first_line || lines.size() > 2 * numbers_limit) return std::nullopt;
    State state;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const std::string_view line = lines[i];
        if (line.empty() && i + 1 == lines.size()) continue;
        if (!take_seconds(line, "since", state.since) && !take_seconds(line, "before", state.before) &&
            !take_seconds(line, "trying", state.trying) && !take_number(line, "count", state.counted) &&
            !take_number(line, "earlier", state.earlier))
            return std::nullopt;
    }
    if (state.since == 0) return std::nullopt;
    return state;
}

}  // namespace relais::summary
