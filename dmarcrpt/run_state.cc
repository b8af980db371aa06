#include "dmarcrpt/run_state.h"

#include "base/event.h"
#include "base/text.h"
#include "base/words.h"

namespace relais::dmarcrpt {
namespace {

constexpr std::string_view first_line = "relais dmarcreports 1";
constexpr std::uint64_t a_second = 1'000'000;

}  // namespace

void RunState::note_done(const std::string& day, const std::string& domain) {
    done.insert(day + " " + domain);
    late.erase(day + " " + domain);
}

void RunState::drop_before(const std::string& day) {
    const auto is_old = [&](const std::string& line) { return line < day; };
    std::erase_if(done, is_old);
    std::erase_if(late, is_old);
}

std::string encode(const RunState& state) {
    std::string text(first_line);
    text += "\n";
    if (state.trying != 0) text += "trying " + std::to_string(state.trying) + "\n";
    for (const std::string& line : state.done) text += "done " + line + "\n";
    for (const std::string& line : state.late) text += "late " + line + "\n";
    return text;
}

std::optional<RunState> parse_run_state(std::string_view text) {
    RunState state;
    const auto lines = split(text, '\n');
    if (lines.empty() || lines.front() != first_line || !text.ends_with('\n')) return std::nullopt;
    for (std::size_t i = 1; i < lines.size(); ++i) {
        const auto words = words_of(lines[i]);
        if (words.empty()) continue;
        if (words.size() == 2 && words[0] == "trying") {
            const auto number = parse_number(words[1]);
            if (!number) return std::nullopt;
            state.trying = *number;
        } else if (words.size() == 3 && (words[0] == "done" || words[0] == "late")) {
            (words[0] == "done" ? state.done : state.late)
                .insert(std::string(words[1]) + " " + std::string(words[2]));
        } else {
            return std::nullopt;
        }
    }
    return state;
}

std::string day_text(std::uint64_t seconds) {
    return date_iso(seconds * a_second).substr(0, 10);
}

}  // namespace relais::dmarcrpt
