// Reads what qmail-send says of itself. It is made for people: a line that is of another form is left out.
#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/printable.h"
#include "base/text.h"
#include "setup/top_picture.h"

namespace relais::setup {
namespace {

// Takes "N WORD" off the front, and a comma and blank behind it.
std::optional<std::uint64_t> take_number(std::string_view& text, std::string_view word) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    const auto number = parse_number(text.substr(0, blank));
    std::string_view rest = text.substr(blank + 1);
    if (!number || !rest.starts_with(word)) return std::nullopt;
    rest.remove_prefix(word.size());
    if (rest.starts_with(", ")) rest.remove_prefix(2);
    text = rest;
    return number;
}

bool take_word(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    return true;
}

// "destination NAME: 1 running, 2 queued, 3 waiting, usually 4 ms, in back-off for SPAN: WHY"
std::optional<TopDestination> destination_of(std::string_view line) {
    if (!take_word(line, "destination ")) return std::nullopt;
    // A name may hold a colon itself, so the numbers say where it ends.
    for (std::size_t colon = line.find(": "); colon != std::string_view::npos;
         colon = line.find(": ", colon + 1)) {
        std::string_view rest = line.substr(colon + 2);
        const auto running = take_number(rest, "running");
        const auto queued = running ? take_number(rest, "queued") : std::nullopt;
        const auto waiting = queued ? take_number(rest, "waiting") : std::nullopt;
        if (!waiting) continue;
        TopDestination found{printable(line.substr(0, colon)), *running, *queued, *waiting};
        if (take_word(rest, "usually ")) found.usual = take_number(rest, "ms").value_or(0);
        found.trouble = printable(rest);
        return found;
    }
    return std::nullopt;
}

// "12 seconds", "5 minutes", "3 hours"
std::uint64_t seconds_of(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 3> units = {
        {{" seconds", 1}, {" minutes", 60}, {" hours", 3600}}};
    for (const auto& [word, seconds] : units)
        if (const std::size_t at = text.find(word); at != std::string_view::npos)
            return parse_number(text.substr(0, at)).value_or(0) * seconds;
    return 0;
}

struct UnderWay {
    std::string destination;
    std::uint64_t seconds;
};

// "delivery 5: msg 17 to remote far.test for x@far.test, since 30 Nov 2026 21:00:00 GMT (12 seconds)"
std::optional<UnderWay> under_way(std::string_view line) {
    const std::size_t since = line.rfind(", since ");
    const std::size_t open = line.rfind(" GMT (");
    if (!line.starts_with("delivery ") || since == std::string_view::npos || open == std::string_view::npos ||
        open < since)
        return std::nullopt;
    std::string_view to = line.substr(0, since);
    for (const std::string_view channel : {" to local ", " to remote "})
        if (const std::size_t at = to.find(channel); at != std::string_view::npos) {
            to.remove_prefix(at + channel.size());
            to = to.substr(0, to.find(" for "));
            return UnderWay{printable(to), seconds_of(line.substr(open + 6))};
        }
    return std::nullopt;
}

}  // namespace

std::vector<TopDestination> destinations_of(std::string_view stat, std::string_view running) {
    std::vector<TopDestination> all;
    std::map<std::string, std::size_t, std::less<>> places;
    for (const std::string_view line : split(stat, '\n'))
        if (auto found = destination_of(line)) {
            places.emplace(found->name, all.size());
            all.push_back(*std::move(found));
        }
    for (const std::string_view line : split(running, '\n')) {
        const auto found = under_way(line);
        if (!found) continue;
        const auto [place, fresh] = places.emplace(found->destination, all.size());
        if (fresh) all.push_back({found->destination});
        TopDestination& destination = all[place->second];
        destination.longest = std::max(destination.longest, found->seconds);
        if (fresh) destination.running = 1;
    }
    std::stable_sort(all.begin(), all.end(), [](const TopDestination& a, const TopDestination& b) {
        return a.running + a.queued + a.waiting > b.running + b.queued + b.waiting;
    });
    return all;
}

std::uint64_t number_of(std::string_view stat, std::string_view name) {
    for (std::string_view line : split(stat, '\n'))
        if (take_word(line, name) && take_word(line, " ")) return parse_number(line).value_or(0);
    return 0;
}

}  // namespace relais::setup
