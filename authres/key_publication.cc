#include "authres/key_publication.h"

#include <fmt/core.h>

#include "sasl/base64.h"

namespace relais::authres {

std::string key_record_text(const PrivateKey& key) {
    return fmt::format("v=DKIM1; k={}; p={}", to_text(key.type()), sasl::encode_base64(key.public_key()));
}

std::string zone_line(std::string_view name, std::string_view text) {
    // A string has at most 255 octets (RFC 1035, 3.3.14).
    constexpr std::size_t room = 200;
    std::string line = fmt::format("{}. IN TXT (", name);
    for (; !text.empty(); text.remove_prefix(std::min(room, text.size())))
        line += fmt::format(" \"{}\"", text.substr(0, room));
    return line + " )";
}

std::string tinydns_line(std::string_view name, std::string_view text) {
    std::string line = fmt::format("'{}:", name);
    for (const char c : text) {
        if (c == ':' || c == '\\' || c < 32 || c > 126)
            line += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
        else
            line += c;
    }
    return line + ":3600";
}

Publication key_published(const PublicHalf& key, const net::DnsAnswer& answer) {
    if (answer.status == net::DnsStatus::failed || answer.status == net::DnsStatus::bogus)
        return {.text = "no answer from DNS"};
    if (answer.records.empty()) return {.text = "not published"};
    std::string why = "another key is published";
    for (const net::DnsRecord& record : answer.records) {
        const auto parsed = parse_key_record(record.text);
        if (const auto* bad = std::get_if<BadKey>(&parsed)) {
            why = bad->reason;
            continue;
        }
        const auto& found = std::get<KeyRecord>(parsed);
        if (found.type != key.type || found.key != key.key) continue;
        if (answer.records.size() > 1)
            return {.text = "published, but beside other TXT records: verifiers may take one of these"};
        return {true, found.testing, found.testing ? "published, in test mode (t=y)" : "published"};
    }
    return {.text = why};
}

}  // namespace relais::authres
