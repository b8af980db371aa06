#include "control/block_lists.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "base/words.h"

namespace relais::control {
namespace {

constexpr int usual_weight = 5;
constexpr int double_weight = 10;

constexpr std::array<std::pair<std::string_view, BlockList::Kind>, 3> kinds = {
    {{"domain:", BlockList::Kind::domains},
     {"uri:", BlockList::Kind::uris},
     {"hash:", BlockList::Kind::hashes}}};

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
    in_addr address{};
    if (text.size() > 15 || ::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1)
        return std::nullopt;
    return ntohl(address.s_addr);
}

std::optional<int> parse_weight(std::string_view text) {
    const bool negative = text.starts_with('-');
    const auto number = parse_number(text.substr(negative ? 1 : 0));
    if (!number || *number > static_cast<unsigned>(BlockLists::heaviest)) return std::nullopt;
    const int value = static_cast<int>(*number);
    return negative ? -value : value;
}

// "127.0.0.2" or "127.0.0.10-11".
std::optional<BlockList::Range> parse_range(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto first = parse_ipv4(text.substr(0, dash));
    if (!first) return std::nullopt;
    if (dash == std::string_view::npos) return BlockList::Range{*first, *first, 0};
    const auto octet = parse_number(text.substr(dash + 1));
    if (!octet || *octet > 255 || *octet < (*first & 255)) return std::nullopt;
    return BlockList::Range{*first, (*first & ~std::uint32_t{255}) | static_cast<std::uint32_t>(*octet), 0};
}

bool is_zone(std::string_view name) {
    if (name.empty() || name.size() > 180) return false;
    for (const std::string_view label : split(name, '.'))
        if (label.empty() || label.size() > 63 || !std::all_of(label.begin(), label.end(), [](char c) {
                return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
            }))
            return false;
    return true;
}

// "NAME=VALUE" in two.
struct Assignment {
    std::string_view name;
    std::optional<int> value;
};
std::optional<Assignment> parse_assignment(std::string_view word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    return Assignment{word.substr(0, equals), parse_weight(word.substr(equals + 1))};
}

// The words behind the zone.
bool take_weights(BlockList& list, const std::vector<std::string_view>& words) {
    std::optional<int> others;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto assignment = parse_assignment(words[i]);
        if (!assignment || !assignment->value) return false;
        if (equal_ignoring_case(assignment->name, "weight")) {
            others = assignment->value;
            continue;
        }
        auto range = parse_range(assignment->name);
        if (!range) return false;
        range->weight = *assignment->value;
        list.answers.push_back(*range);
    }
    if (others)
        list.weight = *others;
    else if (!list.answers.empty())
        list.weight = 0;
    return true;
}

}  // namespace

std::optional<int> BlockList::score(std::string_view answer) const {
    const auto address = parse_ipv4(answer);
    if (!address || *address >> 24 != 127 || *address >> 8 == 0x7fffff) return std::nullopt;
    for (const Range& range : answers)
        if (*address >= range.first && *address <= range.last) return range.weight;
    return weight;
}

bool BlockLists::look_into_messages() const {
    return std::any_of(lists_.begin(), lists_.end(), [](const BlockList& list) {
        return list.kind == BlockList::Kind::uris || list.kind == BlockList::Kind::hashes;
    });
}

BlockLists::BlockLists(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) take(line);
}

std::string BlockLists::fault(std::string_view line) {
    return BlockLists().take(line) ? "" : "\"" + std::string(line) + "\" is no list of dnsbllist";
}

bool BlockLists::take_thresholds(const std::vector<std::string_view>& words) {
    for (const std::string_view word : words) {
        const auto assignment = parse_assignment(word);
        if (!assignment || !assignment->value || *assignment->value < 1) return false;
        if (equal_ignoring_case(assignment->name, "tag"))
            tag = *assignment->value;
        else if (equal_ignoring_case(assignment->name, "defer"))
            defer = *assignment->value;
        else if (equal_ignoring_case(assignment->name, "refuse"))
            refuse = *assignment->value;
        else
            return false;
    }
    return true;
}

bool BlockLists::take(std::string_view line) {
    const auto words = words_of(line);
    if (words.empty()) return true;
    if (words[0].find('=') != std::string_view::npos) return take_thresholds(words);
    BlockList list;
    std::string_view name = words[0];
    const char sign = name.front();
    if (sign == '-' || sign == '+') name.remove_prefix(1);
    list.weight = sign == '-' ? double_weight : sign == '+' ? -double_weight : usual_weight;
    for (const auto& [word, kind] : kinds) {
        if (!starts_ignoring_case(name, word)) continue;
        list.kind = kind;
        name.remove_prefix(word.size());
        break;
    }
    list.zone = lower(name);
    if (list.zone.ends_with('.')) list.zone.pop_back();
    if (!is_zone(list.zone) || !take_weights(list, words) || lists_.size() >= most) return false;
    lists_.push_back(std::move(list));
    return true;
}

}  // namespace relais::control
