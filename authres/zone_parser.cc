#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "authres/zone.h"
#include "authres/zone_text.h"
#include "base/error.h"
#include "base/text.h"
#include "net/socket.h"

namespace relais::authres {
namespace {

using net::RecordType;
using Fields = std::vector<ZoneEntry::Field>;

std::optional<RecordType> known_type(std::string_view word) {
    static const std::map<std::string_view, RecordType> types = {
        {"a", RecordType::a},   {"aaaa", RecordType::aaaa}, {"cname", RecordType::cname},
        {"mx", RecordType::mx}, {"ptr", RecordType::ptr},   {"txt", RecordType::txt}};
    const auto at = types.find(lower(word));
    return at == types.end() ? std::nullopt : std::optional(at->second);
}

// Types whose data nobody here asks for.
bool is_other_type(std::string_view word) {
    static const std::set<std::string_view> types = {
        "afsdb",      "caa",   "cdnskey", "cds",   "cert",  "dname", "dnskey", "ds",    "hinfo",
        "https",      "loc",   "minfo",   "naptr", "ns",    "nsec",  "nsec3",  "rp",    "nsec3param",
        "openpgpkey", "rrsig", "smimea",  "soa",   "spf",   "srv",   "sshfp",  "svcb",  "tlsa",
        "uri",        "wks",   "hip",     "apl",   "dhcid", "eui48", "eui64",  "zonemd"};
    const std::string name = lower(word);
    return types.contains(name) || (name.starts_with("type") && parse_number(name.substr(4)));
}

bool is_our_type(std::string_view word) {
    return equal_ignoring_case(word, "timeout") || equal_ignoring_case(word, "servfail");
}

// Seconds: "3600", "1h30m" (RFC 2308, 4 and BIND's units).
std::optional<std::uint32_t> parse_ttl(std::string_view word) {
    static const std::map<char, std::uint64_t> units = {
        {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    std::uint64_t total = 0, number = 0;
    bool digits = false;
    for (const char c : word) {
        const auto unit = units.find(lower(c));
        if (c >= '0' && c <= '9') {
            number = number * 10 + static_cast<std::uint64_t>(c - '0');
            digits = true;
        } else if (digits && unit != units.end()) {
            total += number * unit->second;
            number = 0;
            digits = false;
        } else {
            return std::nullopt;
        }
        if (number > UINT32_MAX || total > UINT32_MAX) return std::nullopt;
    }
    total += number;
    if (word.empty() || total > UINT32_MAX) return std::nullopt;
    return static_cast<std::uint32_t>(total);
}

}  // namespace

class ZoneParser {
  public:
    explicit ZoneParser(std::string_view name) : name_(name) {}

    Zone parse(std::string_view text) {
        ZoneText lines(text);
        while (auto entry = lines.next()) {
            line_ = entry->line;
            if (!entry->complete) fail("a quote or parenthesis has no other half");
            if (!entry->fields.front().quoted && entry->fields.front().text.starts_with('$'))
                take_directive(entry->fields);
            else
                take_record(*entry);
        }
        return std::move(zone_);
    }

  private:
    [[noreturn]] void fail(std::string_view what) const {
        throw_permanent(fmt::format("{}:{}: {}", name_, line_, what));
    }

    void take_directive(const Fields& fields) {
        const std::string& word = fields.front().text;
        if (fields.size() != 2) fail(word + " takes one word");
        const std::string& value = fields[1].text;
        if (equal_ignoring_case(word, "$origin")) {
            origin_ = to_name(value);
        } else if (equal_ignoring_case(word, "$ttl")) {
            const auto ttl = parse_ttl(value);
            if (!ttl) fail("\"" + value + "\" is no TTL");
            default_ttl_ = *ttl;
        } else {
            fail(word + " is not read here, only $ORIGIN and $TTL");
        }
    }

    std::string to_name(std::string_view text) const {
        auto name = absolute_name(text, origin_);
        if (!name) fail("\"" + std::string(text) + "\" is no domain name");
        return *std::move(name);
    }

    void take_record(const ZoneEntry& entry) {
        auto field = entry.fields.begin();
        if (!entry.indented)
            owner_ = to_name((field++)->text);
        else if (!owner_)
            fail("the first record has no owner");
        std::uint32_t ttl = default_ttl_;
        for (; field != entry.fields.end() && !field->quoted; ++field) {
            if (equal_ignoring_case(field->text, "in")) continue;
            const auto given = parse_ttl(field->text);
            if (!given) break;
            ttl = *given;
        }
        if (field == entry.fields.end()) fail("the record has no type");
        const std::string type = field->text;
        add(type, ttl, Fields(field + 1, entry.fields.end()));
    }

    void add(const std::string& type, std::uint32_t ttl, const Fields& data) {
        const auto key = name_key(*owner_);
        if (!key) fail("\"" + *owner_ + "\" is no domain name");
        if (is_our_type(type)) return add_silence(zone_.nodes_[*key], data);
        const auto known = known_type(type);
        if (!known && !is_other_type(type)) fail("\"" + type + "\" is no type of a record");
        Zone::Node& node = zone_.nodes_[*key];
        if (!known) return;
        net::DnsRecord record = to_data(*known, data);
        // A server has each record once.
        const auto identity =
            fmt::format("{} {} {}", static_cast<int>(*known), record.preference, record.text);
        if (seen_.insert({*key, identity}).second) node.records.push_back({*known, ttl, std::move(record)});
    }

    void add_silence(Zone::Node& node, const Fields& types) const {
        if (types.empty()) node.otherwise_silent = true;
        for (const auto& [word, quoted] : types) {
            const auto type = known_type(word);
            if (!type) fail("\"" + word + "\" is no type that could be asked for");
            node.silent.push_back(*type);
        }
    }

    net::DnsRecord to_data(RecordType type, const Fields& data) const {
        net::DnsRecord record;
        if (type == RecordType::txt) {
            if (data.empty()) fail("TXT needs a string");
            for (const auto& [word, quoted] : data) record.text += to_octets(word);
            return record;
        }
        if (data.size() != (type == RecordType::mx ? 2U : 1U))
            fail("the record has too many or too few words");
        const std::string& last = data.back().text;
        if (type == RecordType::a || type == RecordType::aaaa) {
            record.text = to_address(last, type == RecordType::aaaa);
            return record;
        }
        record.text = to_name(last);
        if (type == RecordType::mx) {
            const auto preference = parse_number(data.front().text);
            if (!preference || *preference > UINT16_MAX)
                fail("\"" + data.front().text + "\" is no preference");
            record.preference = static_cast<std::uint16_t>(*preference);
        }
        return record;
    }

    std::string to_octets(std::string_view word) const {
        auto octets = unescaped(word);
        if (!octets) fail("wrong escape; \\X and \\DDD are known");
        return *std::move(octets);
    }

    std::string to_address(const std::string& word, bool v6) const {
        // An IPv4-mapped one is a host's of IPv4, but stands in AAAA.
        auto address = net::canonical_address(word);
        if (!address || (word.find(':') != std::string::npos) != v6)
            fail("\"" + word + "\" is no " + (v6 ? "IPv6" : "IPv4") + " address");
        return *std::move(address);
    }

    std::string_view name_;
    std::size_t line_ = 0;
    std::string origin_;
    std::uint32_t default_ttl_ = 3600;
    std::optional<std::string> owner_;
    std::set<std::pair<std::string, std::string>> seen_;
    Zone zone_;
};

Zone Zone::parse(std::string_view text, std::string_view name) {
    if (text.size() > zone_limit) throw_permanent(std::string(name) + ": larger than 16 MB");
    return ZoneParser(name).parse(text);
}

}  // namespace relais::authres
