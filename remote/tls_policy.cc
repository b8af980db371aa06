#include "remote/tls_policy.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/idna.h"
#include "base/text.h"

namespace relais::remote {
namespace {

constexpr std::size_t digest_digits = 64;

constexpr std::array<std::pair<std::string_view, TlsLevel>, 5> levels = {
    {{"none", TlsLevel::none},
     {"may", TlsLevel::may},
     {"encrypt", TlsLevel::encrypt},
     {"verify", TlsLevel::verify},
     {"fingerprint", TlsLevel::fingerprint}}};

std::optional<TlsLevel> parse_level(std::string_view text) {
    for (const auto& [name, level] : levels)
        if (equal_ignoring_case(name, text)) return level;
    return std::nullopt;
}

bool take_digest(std::string_view text, std::vector<std::string>& digests) {
    std::string digits = lower(text);
    std::erase(digits, ':');
    if (digits.size() != digest_digits || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
        return false;
    digests.push_back(std::move(digits));
    return true;
}

// What is wrong with the option, empty if nothing.
std::string take_option(std::string_view option, TlsPolicy& policy) {
    const std::size_t equals = option.find('=');
    const std::string_view name = option.substr(0, equals);
    if (option == "implicit") return policy.implicit = true, "";
    if (option == "cleartext") return policy.cleartext_password = true, "";
    if (equals == std::string_view::npos ||
        (name != "min" && name != "ca" && name != "name" && name != "sha256"))
        return "there is no option " + std::string(option);
    const std::string_view value = option.substr(equals + 1);
    if (value.empty()) return "nothing stands behind " + std::string(option);
    if (name == "ca") policy.ca_file = value;
    if (name == "name") policy.names.push_back(lower(value));
    if (name == "min") {
        policy.only_13 = value == "1.3";
        return policy.only_13 || value == "1.2" ? "" : "min can be 1.2 or 1.3";
    }
    if (name == "sha256" && !take_digest(value, policy.digests)) return "sha256 takes 64 hexadecimal digits";
    return "";
}

// An option that its level would ignore is a misunderstanding: somebody believes to be safer than he is.
std::string_view contradiction(const TlsPolicy& policy) {
    const bool pins = policy.level == TlsLevel::fingerprint;
    if (pins && policy.digests.empty()) return "fingerprint needs sha256=DIGEST";
    if (!pins && !policy.digests.empty()) return "sha256 belongs to fingerprint";
    const bool verifies = policy.level == TlsLevel::verify;
    if (!verifies && !policy.ca_file.empty()) return "ca belongs to verify";
    if (!verifies && !policy.names.empty()) return "name belongs to verify";
    if (policy.level == TlsLevel::none && policy.implicit) return "none and implicit exclude each other";
    if (policy.level == TlsLevel::none && policy.only_13) return "none and min exclude each other";
    return "";
}

}  // namespace

std::string_view name_of(TlsLevel level) {
    if (level == TlsLevel::dane) return "dane";
    for (const auto& [name, candidate] : levels)
        if (candidate == level) return name;
    return "";
}

std::string TlsPolicy::reason() const {
    if (by_message) return " (the message asks for it, REQUIRETLS)";
    if (!tlsa_name.empty()) return " (there are TLSA records at " + tlsa_name + ")";
    if (!encrypted_at.empty())
        return " (it was encrypted " + encrypted_at + ", and control/tlsmemory holds it to that for a day)";
    return policy_of.empty() ? "" : " (the policy of " + policy_of + ", MTA-STS, says so)";
}

std::string TlsPolicy::identity() const {
    std::string text(name_of(level));
    if (implicit) text += " implicit";
    if (only_13) text += " min=1.3";
    if (cleartext_password) text += " cleartext";
    if (!ca_file.empty()) text += " ca=" + ca_file;
    for (const std::string& name : names) text += " name=" + name;
    for (const std::string& digest : digests) text += " sha256=" + digest;
    for (const tls::Tlsa& record : tlsa) text += " tlsa=" + tls::text_of(record);
    return text;
}

TlsPolicy parse_tls_policy(std::string_view text) {
    TlsPolicy policy;
    bool first = true;
    while (policy.complaint.empty() && !(text = trim(text)).empty()) {
        const std::string_view word = text.substr(0, text.find_first_of(" \t"));
        text.remove_prefix(word.size());
        if (!std::exchange(first, false)) {
            policy.complaint = take_option(word, policy);
        } else if (const auto level = parse_level(word)) {
            policy.level = *level;
        } else {
            policy.complaint = std::string(word) + " is no level: none, may, encrypt, verify or fingerprint";
        }
    }
    if (first) policy.complaint = "there is no level: none, may, encrypt, verify or fingerprint";
    if (policy.complaint.empty()) policy.complaint = contradiction(policy);
    policy.usable = policy.complaint.empty();
    return policy;
}

TlsDestinations::TlsDestinations(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        const std::size_t bracket = line.starts_with('[') ? line.find(']') : std::string::npos;
        const std::size_t end = line.find_first_of(": \t", bracket == std::string::npos ? 0 : bracket);
        const std::string key = comparable(line.substr(0, end));
        // Who forgot the colon meant something: the line counts, and cannot be used.
        const bool has_colon = end != std::string::npos && line[end] == ':';
        TlsPolicy policy = parse_tls_policy(has_colon ? std::string_view(line).substr(end + 1) : "");
        if (!has_colon) policy.complaint = "a colon must stand behind the destination";
        policy.line = line;
        policy.named = !key.empty();
        policies_.emplace(key, std::move(policy));
    }
    if (const auto found = policies_.find(""); found != policies_.end()) fallback_ = found->second;
}

const TlsPolicy* TlsDestinations::find(std::string_view name) const {
    if (name.empty()) return nullptr;
    std::string key = comparable(name);
    if (key.find(':') != std::string::npos && !key.starts_with('[')) key = "[" + key + "]";
    if (const auto found = policies_.find(key); found != policies_.end()) return &found->second;
    for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1))
        if (const auto found = policies_.find(key.substr(dot)); found != policies_.end())
            return &found->second;
    return nullptr;
}

const TlsPolicy& TlsDestinations::match(std::initializer_list<std::string_view> names) const {
    if (policies_.empty()) return fallback_;
    for (const std::string_view name : names)
        if (const TlsPolicy* policy = find(name)) return *policy;
    return fallback_;
}

TlsPolicy with_credentials(const TlsPolicy& policy) {
    if (policy.named || !policy.usable || policy.authenticates_server()) return policy;
    TlsPolicy strict = policy;
    strict.level = TlsLevel::verify;
    strict.cleartext_password = false;
    return strict;
}

}  // namespace relais::remote
