// DMARC policy records (RFC 9989, 4.7 and 4.8), and the names at which they are looked for (4.10). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::authres {

enum class DmarcPolicy { none, quarantine, reject };
std::string_view to_text(DmarcPolicy policy);

struct DmarcRecord {
    enum class Psd { unknown, yes, no };
    DmarcPolicy policy = DmarcPolicy::none;
    std::optional<DmarcPolicy> subdomains;   // sp=
    std::optional<DmarcPolicy> nonexistent;  // np=
    bool unusable = false;                   // p=, sp= or np= is wrong, and there is no rua=
    bool testing = false;                    // t=y
    Psd psd = Psd::unknown;
    bool strict_dkim = false;
    bool strict_spf = false;
    std::vector<std::string> aggregate_reports;   // rua=, valid URIs
    std::vector<std::uint64_t> aggregate_limits;  // of each of them, octets; 0: none (RFC 7489's "!10m")
    std::vector<std::string> failure_reports;     // ruf=
};

// Nothing for what does not begin with the version. Syntax errors behind it count as absent tags; p=, sp= and
// np= that are wrong make the policy "none" where reports are wanted, and the record unusable where not.
std::optional<DmarcRecord> parse_dmarc_record(std::string_view text);

// The domains of a tree walk, the longest first: the domain, and what it is below; at most 8.
std::vector<std::string> tree_walk(std::string_view domain);
// The domain that has one label more than parent on the way to domain, which is below it.
std::string one_label_below(std::string_view parent, std::string_view domain);

}  // namespace relais::authres
