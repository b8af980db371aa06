#include "mail/bounce_hints.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace relais::mail {
namespace {

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The second octet of a two-octet letter in lower case: U+00C0 to U+00DE, U+0400 to U+042F.
struct Letter {
    char first;
    char second;
};
Letter small_letter(unsigned char first, unsigned char second) {
    const auto letter = [](unsigned a, unsigned b) {
        return Letter{static_cast<char>(a), static_cast<char>(b)};
    };
    if (first == 0xc3 && second >= 0x80 && second <= 0x9e && second != 0x97)
        return letter(first, second + 0x20U);
    if (first == 0xd0 && second >= 0x80 && second <= 0x8f) return letter(0xd1, second + 0x10U);
    if (first == 0xd0 && second >= 0x90 && second <= 0x9f) return letter(first, second + 0x20U);
    if (first == 0xd0 && second >= 0xa0 && second <= 0xaf) return letter(0xd1, second - 0x20U);
    return letter(first, second);
}

// A number in a pattern is a whole one: 550 is not in 5502, 5.7.1 is neither in 5.7.13 nor in 1.5.7.1.
bool stands_alone(std::string_view text, std::size_t at, std::string_view piece) {
    const std::size_t end = at + piece.size();
    if (is_digit(piece.front()) && at > 0 &&
        (is_alphanumeric(text[at - 1]) || (text[at - 1] == '.' && at > 1 && is_digit(text[at - 2]))))
        return false;
    if (!is_digit(piece.back()) || end == text.size()) return true;
    return !is_alphanumeric(text[end]) &&
           !(text[end] == '.' && end + 1 < text.size() && is_digit(text[end + 1]));
}

// Where the piece ends; nothing if it is not there.
std::optional<std::size_t> find_piece(std::string_view text, std::string_view piece, std::size_t from) {
    for (std::size_t at = text.find(piece, from); at != std::string_view::npos; at = text.find(piece, at + 1))
        if (stands_alone(text, at, piece)) return at + piece.size();
    return std::nullopt;
}

bool matches(std::string_view text, const std::vector<std::string>& pieces) {
    std::size_t at = 0;
    return std::all_of(pieces.begin(), pieces.end(), [&](const std::string& piece) {
        const auto end = find_piece(text, piece, at);
        if (end) at = *end;
        return end.has_value();
    });
}

std::string joined(std::string_view text) {
    std::string result;
    for (const std::string_view word : split(text, ' '))
        if (!word.empty()) result.append(result.empty() ? "" : " ").append(word);
    return result;
}

}  // namespace

std::string plain_reply(std::string_view text) {
    text = text.substr(0, reply_limit);
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const auto octet = static_cast<unsigned char>(c);
        if (octet <= ' ' || c == '_' || octet == 0x7f) {
            if (!plain.empty() && plain.back() != ' ') plain += ' ';
        } else if (text.substr(i).starts_with("\u2019") || text.substr(i).starts_with("\u2018")) {
            plain += '\'';
            i += 2;
        } else if (octet >= 0xc2 && octet <= 0xdf && i + 1 < text.size()) {
            const Letter small = small_letter(octet, static_cast<unsigned char>(text[++i]));
            plain += small.first;
            plain += small.second;
        } else {
            plain += lower(c);
        }
    }
    if (plain.ends_with(' ')) plain.pop_back();
    return plain;
}

// Takes the lines of a table one by one.
class HintTable::Parser {
  public:
    Parser(HintTable& table, std::vector<Mistake>& mistakes) : table_(table), mistakes_(mistakes) {}

    void take(std::string_view line, std::size_t number) {
        number_ = number;
        const bool continued = line.starts_with(' ') || line.starts_with('\t');
        const std::string_view words = trim(line);
        if (words.empty() || words.front() == '#') return;
        if (continued) return go_on(words);
        last_ = nullptr;
        if (words.front() == '[') return begin(words);
        const std::size_t end = std::min(words.find_first_of(" \t"), words.size());
        set(words.substr(0, end), trim(words.substr(end)));
    }

    void finish() {
        if (!open_) return;
        open_ = false;
        if (entry_.hint.cause.empty() || entry_.patterns.empty())
            mistakes_.push_back({began_, "[" + entry_.hint.name + "] has no " +
                                             (entry_.hint.cause.empty() ? "cause" : "match") + " line"});
        else if (table_.hints_.size() >= hint_limit)
            mistakes_.push_back({began_, "there are too many hints"});
        else
            table_.hints_.push_back(std::move(entry_));
        entry_ = {};
    }

  private:
    void wrong(std::string text) { mistakes_.push_back({number_, std::move(text)}); }

    void begin(std::string_view words) {
        finish();
        const std::string_view name = trim(words.substr(1, words.find(']') - 1));
        if (!words.ends_with(']') || name.empty()) return wrong("a hint begins with [NAME]");
        entry_.hint.name = name;
        began_ = number_;
        open_ = true;
    }

    void set(std::string_view key, std::string_view value) {
        if (!open_) return wrong("this line belongs to no hint");
        if (value.empty()) return wrong("nothing follows " + std::string(key));
        if (key == "match") return add_pattern(value);
        if (key != "cause" && key != "remedy")
            return wrong("not cause, remedy or match: " + std::string(key));
        std::string& text = key == "cause" ? entry_.hint.cause : entry_.hint.remedy;
        if (!text.empty()) return wrong("a second " + std::string(key));
        text = joined(value);
        last_ = &text;
    }

    void go_on(std::string_view words) {
        if (last_ == nullptr) return wrong("only cause and remedy may go on in a further line");
        last_->append(" ").append(joined(words));
    }

    void add_pattern(std::string_view value) {
        Pattern pattern;
        for (const std::string_view piece : split(value, '*'))
            if (std::string plain = plain_reply(piece); !plain.empty()) pattern.push_back(std::move(plain));
        if (pattern.empty()) return wrong("a pattern that matches everything");
        entry_.patterns.push_back(std::move(pattern));
    }

    HintTable& table_;
    std::vector<Mistake>& mistakes_;
    Entry entry_;
    std::string* last_ = nullptr;
    std::size_t number_ = 0;
    std::size_t began_ = 0;
    bool open_ = false;
};

void HintTable::add(std::string_view table, std::vector<Mistake>& mistakes) {
    if (table.size() > hint_table_limit) {
        mistakes.push_back({1, "the table is too long; its end is left out"});
        table = table.substr(0, table.rfind('\n', hint_table_limit) + 1);
    }
    Parser parser(*this, mistakes);
    std::size_t number = 0;
    for (const std::string_view line : split(table, '\n')) parser.take(line, ++number);
    parser.finish();
}

const BounceHint* HintTable::match(std::string_view reply) const {
    const std::string text = plain_reply(reply);
    for (const Entry& entry : hints_)
        for (const Pattern& pattern : entry.patterns)
            if (matches(text, pattern)) return &entry.hint;
    return nullptr;
}

}  // namespace relais::mail
