#include "authres/zone_text.h"

#include <algorithm>

#include "authres/dns.h"
#include "base/text.h"

namespace relais::authres {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// The octet that the escape at the beginning of text stands for, and how long it is; 0 for a wrong one.
std::size_t take_escape(std::string_view text, char& octet) {
    if (text.size() < 2) return 0;
    if (!is_digit(text[1])) {
        octet = text[1];
        return 2;
    }
    if (text.size() < 4 || !is_digit(text[2]) || !is_digit(text[3])) return 0;
    const int value = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
    octet = static_cast<char>(value);
    return value <= 255 ? 4 : 0;
}

}  // namespace

std::optional<std::string> unescaped(std::string_view text) {
    std::string octets;
    while (!text.empty()) {
        char octet = text.front();
        const std::size_t taken = octet == '\\' ? take_escape(text, octet) : 1;
        if (taken == 0) return std::nullopt;
        octets += octet;
        text.remove_prefix(taken);
    }
    return octets;
}

std::optional<std::string> name_key(std::string_view name) {
    name = without_final_dot(name);
    if (name.empty()) return "";
    if (!is_domain_name(name)) return std::nullopt;
    auto labels = split(name, '.');
    std::reverse(labels.begin(), labels.end());
    std::string key;
    for (const std::string_view label : labels) {
        key += static_cast<char>(label.size());
        key += lower(label);
    }
    return key;
}

std::size_t last_label_at(std::string_view key) {
    std::size_t at = 0;
    for (std::size_t next = 0; next < key.size(); next += 1 + static_cast<unsigned char>(key[next]))
        at = next;
    return at;
}

std::optional<std::string> absolute_name(std::string_view text, std::string_view origin) {
    if (text == "@") return std::string(origin);
    if (text == ".") return "";
    std::string name;
    bool absolute = false;
    while (!text.empty()) {
        absolute = text.front() == '.';
        char octet = text.front();
        const std::size_t taken = octet == '\\' ? take_escape(text, octet) : 1;
        if (taken == 0) return std::nullopt;
        if (taken > 1 && octet == '.')
            name += "\\046";
        else
            name += octet;
        text.remove_prefix(taken);
    }
    if (absolute) name.pop_back();
    if (!absolute && !origin.empty()) name.append(".").append(origin);
    if (!is_domain_name(name) || name.ends_with('.')) return std::nullopt;
    return name;
}

std::optional<ZoneEntry> ZoneText::next() {
    while (at_ < text_.size()) {
        ZoneEntry entry;
        entry.line = line_;
        entry.indented = text_[at_] == ' ' || text_[at_] == '\t';
        while (take_field(entry)) {
        }
        if (depth_ != 0) entry.complete = false;
        depth_ = 0;
        if (!entry.fields.empty() || !entry.complete) return entry;
    }
    return std::nullopt;
}

// Takes what comes next: a field, or what stands between them. False at the entry's end.
bool ZoneText::take_field(ZoneEntry& entry) {
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    if (c == '"') {
        take_quoted(entry);
    } else if (c == ';') {
        at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == '\n') {
        ++at_;
        ++line_;
        return depth_ > 0;
    } else if (c == '(' || c == ')') {
        ++at_;
        depth_ += c == '(' ? 1 : -1;
        if (depth_ < 0) entry.complete = false;
        depth_ = std::max(depth_, 0);
    } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
    } else {
        take_word(entry);
    }
    return true;
}

void ZoneText::take_quoted(ZoneEntry& entry) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != '"') {
        if (text_[end] == '\n') ++line_;
        end += text_[end] == '\\' ? 2 : 1;
    }
    if (end >= text_.size()) entry.complete = false;
    end = std::min(end, text_.size());
    entry.fields.push_back({std::string(text_.substr(at_ + 1, end - at_ - 1)), true});
    at_ = std::min(end + 1, text_.size());
}

void ZoneText::take_word(ZoneEntry& entry) {
    std::size_t end = at_;
    while (end < text_.size() && std::string_view(" \t\r\n;()\"").find(text_[end]) == std::string_view::npos)
        end += text_[end] == '\\' && end + 1 < text_.size() && text_[end + 1] != '\n' ? 2 : 1;
    entry.fields.push_back({std::string(text_.substr(at_, end - at_)), false});
    at_ = end;
}

}  // namespace relais::authres
