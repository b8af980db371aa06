#include "send/bounce_hints.h"

#include "base/file.h"
#include "base/text.h"
#include "control/setting.h"

namespace relais::send {
namespace {

constexpr std::size_t line_length = 76;

// Words as lines; what is longer than a line has one of its own.
std::string wrapped(std::string_view text) {
    std::string lines;
    std::size_t column = 0;
    for (const std::string_view word : split(text, ' ')) {
        if (word.empty()) continue;
        if (column > 0 && column + 1 + word.size() > line_length) {
            lines += '\n';
            column = 0;
        }
        if (column > 0) lines += ' ';
        lines += word;
        column += word.size() + (column > 0 ? 1 : 0);
    }
    return lines + "\n";
}

}  // namespace

HintPlaces HintPlaces::read(const control::Home& home) {
    HintPlaces places{false, false};
    const std::string line = control::read<"bouncehints">(home);
    for (const std::string_view word : split(line, ' ')) {
        if (word == "queue-list") places.queue_list = true;
        if (word == "bounces") places.bounces = true;
    }
    return places;
}

mail::HintTable read_hint_table(const control::Home& home, std::vector<std::string>& mistakes) {
    mail::HintTable table;
    std::vector<mail::HintTable::Mistake> wrong;
    if (const auto own = read_file(home.control_file("bouncehints.local"), mail::hint_table_limit))
        table.add(*own, wrong);
    for (const auto& mistake : wrong)
        mistakes.push_back("control/bouncehints.local, line " + std::to_string(mistake.line) + ": " +
                           mistake.text);
    wrong.clear();
    table.add(mail::HintTable::built_in(), wrong);
    return table;
}

std::string bounce_hint_lines(const mail::HintTable& table, std::string_view text) {
    const mail::BounceHint* hint = table.match(text);
    if (hint == nullptr) return "";
    return wrapped("Hint: " + hint->cause + " " + hint->remedy);
}

}  // namespace relais::send
