#include "authres/dmarc_record.h"

#include <algorithm>
#include <map>

#include "base/text.h"

namespace relais::authres {
namespace {

// RFC 9989, 4.10.
constexpr std::size_t walk_limit = 8;
// More addresses for reports are of no use.
constexpr std::size_t uri_limit = 20;

using Tags = std::map<std::string, std::string>;

bool is_alpha(char c) {
    return lower(c) >= 'a' && lower(c) <= 'z';
}

// The tags behind the version, the first of each name.
Tags read_tags(const std::vector<std::string_view>& parts) {
    Tags tags;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const std::size_t equals = parts[i].find('=');
        if (equals == std::string_view::npos) continue;
        const std::string name = lower(trim(parts[i].substr(0, equals)));
        const std::string_view value = trim(parts[i].substr(equals + 1));
        const bool right =
            !name.empty() && std::all_of(name.begin(), name.end(), is_alpha) && !value.empty() &&
            std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
        if (right) tags.emplace(name, value);
    }
    return tags;
}

// The size that RFC 7489 allowed behind a URI: "!10m". 0 for none, and for what is none.
std::uint64_t read_size(std::string_view text) {
    const std::size_t mark = text.find('!');
    text = mark == std::string_view::npos ? "" : trim(text.substr(mark + 1));
    constexpr std::string_view units = "kmgt";
    const std::size_t unit = text.empty() ? std::string_view::npos : units.find(lower(text.back()));
    if (unit != std::string_view::npos) text.remove_suffix(1);
    const std::uint64_t number = parse_number(text).value_or(0);
    const std::uint64_t shift = unit == std::string_view::npos ? 0 : 10 * (unit + 1);
    return std::min(number, std::uint64_t{1} << 20) << shift;
}

// A URI (RFC 3986) of any scheme, without such a size. Nothing for what is none.
std::optional<std::string> read_uri(std::string_view text) {
    text = trim(text.substr(0, text.find('!')));
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon + 1 == text.size() || !is_alpha(text.front()))
        return std::nullopt;
    const bool scheme = std::all_of(
        text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
        [](char c) { return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; });
    const bool rest = text.find_first_of(" \t\"<>\\^`{|}") == std::string_view::npos;
    if (!scheme || !rest) return std::nullopt;
    return std::string(text);
}

std::vector<std::string> read_uris(const Tags& tags, const std::string& name,
                                   std::vector<std::uint64_t>& sizes) {
    std::vector<std::string> uris;
    const auto at = tags.find(name);
    if (at == tags.end()) return uris;
    for (const std::string_view part : split(at->second, ',')) {
        auto uri = read_uri(part);
        if (!uri || uris.size() >= uri_limit) continue;
        uris.push_back(*std::move(uri));
        sizes.push_back(read_size(part));
    }
    return uris;
}

// False if the tag is there and wrong.
bool read_policy(const Tags& tags, const std::string& name, std::optional<DmarcPolicy>& policy) {
    static const std::map<std::string_view, DmarcPolicy> policies = {{"none", DmarcPolicy::none},
                                                                     {"quarantine", DmarcPolicy::quarantine},
                                                                     {"reject", DmarcPolicy::reject}};
    const auto at = tags.find(name);
    if (at == tags.end()) return true;
    const auto known = policies.find(lower(at->second));
    if (known == policies.end()) return false;
    policy = known->second;
    return true;
}

bool is(const Tags& tags, const std::string& name, std::string_view value) {
    const auto at = tags.find(name);
    return at != tags.end() && equal_ignoring_case(at->second, value);
}

}  // namespace

std::string_view to_text(DmarcPolicy policy) {
    switch (policy) {
        case DmarcPolicy::reject:
            return "reject";
        case DmarcPolicy::quarantine:
            return "quarantine";
        case DmarcPolicy::none:
            break;
    }
    return "none";
}

std::optional<DmarcRecord> parse_dmarc_record(std::string_view text) {
    const auto parts = split(text, ';');
    const std::size_t equals = parts.front().find('=');
    // Its beginning is the record's: no blank goes before it.
    if (equals == std::string_view::npos || trim(parts.front().substr(equals + 1)) != "DMARC1")
        return std::nullopt;
    const std::string_view version = parts.front().substr(0, equals);
    if (!equal_ignoring_case(version.substr(0, 1), "v") || !trim(version.substr(1)).empty())
        return std::nullopt;
    const Tags tags = read_tags(parts);
    DmarcRecord record;
    std::vector<std::uint64_t> unused;
    record.aggregate_reports = read_uris(tags, "rua", record.aggregate_limits);
    record.failure_reports = read_uris(tags, "ruf", unused);
    std::optional<DmarcPolicy> policy;
    bool right = read_policy(tags, "p", policy);
    right = read_policy(tags, "sp", record.subdomains) && right;
    right = read_policy(tags, "np", record.nonexistent) && right;
    record.policy = policy.value_or(DmarcPolicy::none);
    if (!right) {
        record.policy = DmarcPolicy::none;
        record.subdomains.reset();
        record.nonexistent.reset();
        record.unusable = record.aggregate_reports.empty();
    }
    record.testing = is(tags, "t", "y");
    if (is(tags, "psd", "y")) record.psd = DmarcRecord::Psd::yes;
    if (is(tags, "psd", "n")) record.psd = DmarcRecord::Psd::no;
    record.strict_dkim = is(tags, "adkim", "s");
    record.strict_spf = is(tags, "aspf", "s");
    return record;
}

std::vector<std::string> tree_walk(std::string_view domain) {
    std::vector<std::string> names{std::string(domain)};
    const std::size_t labels = split(domain, '.').size();
    std::size_t drop = labels < walk_limit ? 1 : labels - (walk_limit - 1);
    while (drop > 0) {
        const std::size_t dot = domain.find('.');
        if (dot == std::string_view::npos) break;
        domain.remove_prefix(dot + 1);
        if (--drop > 0) continue;
        names.emplace_back(domain);
        drop = 1;
    }
    return names;
}

std::string one_label_below(std::string_view parent, std::string_view domain) {
    if (domain.size() <= parent.size() + 1) return std::string(domain);
    const std::size_t end = domain.size() - parent.size() - 1;
    const std::size_t dot = domain.substr(0, end).rfind('.');
    return std::string(domain.substr(dot == std::string_view::npos ? 0 : dot + 1));
}

}  // namespace relais::authres
