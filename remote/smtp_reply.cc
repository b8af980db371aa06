#include "remote/smtp_reply.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace relais::remote {
namespace {

constexpr std::size_t mechanism_length = 20;  // RFC 4422, 3.1
constexpr std::size_t mechanism_limit = 32;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The code of "250", "250 text" and "250-text", 0 for any other line.
int line_code(std::string_view line) {
    if (line.size() < 3 || !std::all_of(line.begin(), line.begin() + 3, is_digit)) return 0;
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return 0;
    const int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    return code >= 200 && code < 600 ? code : 0;
}

// "AUTH PLAIN LOGIN", and what was before it: "AUTH=PLAIN LOGIN".
void take_mechanisms(std::string_view parameters, std::vector<std::string>& known) {
    for (const std::string_view word : split(parameters, ' ')) {
        const auto is_same = [word](const std::string& name) { return equal_ignoring_case(name, word); };
        if (word.empty() || word.size() > mechanism_length || known.size() == mechanism_limit) continue;
        if (std::none_of(known.begin(), known.end(), is_same)) known.emplace_back(word);
    }
}

}  // namespace

std::size_t ReplyParser::feed(std::string_view octets) {
    std::size_t used = 0;
    while (used < octets.size() && !complete_) {
        const std::string_view rest = octets.substr(used);
        const std::size_t end = rest.find('\n');
        const std::string_view piece = rest.substr(0, end);
        line_.append(piece.substr(0, line_limit - std::min(line_.size(), line_limit)));
        used += piece.size() + (end != std::string_view::npos ? 1 : 0);
        octets_ += piece.size() + 1;
        if (end != std::string_view::npos || (line_.size() == line_limit && line_code(line_) == 0))
            end_line();
        if (octets_ > octets_limit && !complete_) {
            reply_.code = 0;
            complete_ = true;
        }
    }
    return used;
}

void ReplyParser::end_line() {
    if (line_.ends_with('\r')) line_.pop_back();
    if (reply_.text.size() + line_.size() < text_limit) reply_.text.append(line_).append("\n");
    reply_.code = line_code(line_);
    complete_ = reply_.code == 0 || line_.size() < 4 || line_[3] != '-';
    line_.clear();
}

Reply ReplyParser::finish() {
    Reply reply = std::move(reply_);
    *this = ReplyParser();
    return reply;
}

Extensions parse_extensions(const Reply& reply) {
    Extensions extensions;
    bool first = true;
    for (const std::string_view line : split(reply.text, '\n')) {
        // The first line is the server's name.
        if (std::exchange(first, false) || line.size() < 5) continue;
        const std::string_view parameters = trim(line.substr(4));
        const std::string_view keyword = parameters.substr(0, parameters.find(' '));
        for (const ExtensionKeyword& each : extension_keywords)
            if (equal_ignoring_case(keyword, each.keyword)) extensions.*each.offered = true;
        const std::uint64_t number = parse_number(trim(parameters.substr(keyword.size()))).value_or(0);
        if (equal_ignoring_case(keyword, "SIZE")) extensions.size_limit = number;
        if (equal_ignoring_case(keyword, "DELIVERBY")) extensions.least_by = number;
        if (starts_ignoring_case(keyword, "AUTH") && (keyword.size() == 4 || keyword[4] == '='))
            take_mechanisms(parameters.substr(std::min<std::size_t>(5, parameters.size())), extensions.auth);
    }
    return extensions;
}

}  // namespace relais::remote
