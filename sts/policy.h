// Policies of MTA-STS (RFC 8461): what a domain says, by HTTPS, of its servers and of TLS with them; and the
// record in DNS that says whether it has changed. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relais::sts {

enum class Mode : std::uint8_t { none = 0, testing = 1, enforce = 2 };
std::string_view name_of(Mode mode);

// RFC 8461, 3.2 and 3.3: a policy is smaller than this, and lasts a year at most.
inline constexpr std::size_t policy_limit = std::size_t{64} << 10;
inline constexpr std::uint32_t longest_age = 31557600;
inline constexpr std::size_t id_limit = 32;
inline constexpr std::size_t patterns_limit = 100;  // no honest domain has more servers

struct Policy {
    Mode mode = Mode::none;
    std::uint32_t max_age = 0;      // seconds
    std::vector<std::string> mx{};  // lower case: names, or "*.name"

    bool operator==(const Policy&) const = default;
};

// The text of a policy file; line ends are CRLF or LF, unknown fields are left alone. Nothing for what is no
// policy: then it is as if none had been found (3.2).
std::optional<Policy> parse_policy(std::string_view text);
// What the file of that policy says.
std::string text_of(const Policy& policy);

// The id of the TXT records at _mta-sts.DOMAIN: exactly one of them must be of MTA-STS (3.1).
std::optional<std::string> policy_id(const std::vector<std::string>& records);

// The server's name fits one of the patterns; "*" stands for one label (4.1).
bool admits(const Policy& policy, std::string_view server);

}  // namespace relais::sts
