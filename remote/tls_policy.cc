#include "remote/tls_policy.h"

#include <algorithm>
#include <array>
#include <optional>

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

std::optional<std::string> parse_digest(std::string_view text) {
    std::string digits = lower(text);
    std::erase(digits, ':');
    if (digits.size() != digest_digits || digits.find_first_not_of("0123456789abcdef") != std::string::npos)
        return std::nullopt;
    return digits;
}

bool take_option(std::string_view option, TlsPolicy& policy) {
    const std::size_t equals = option.find('=');
    const std::string_view name = option.substr(0, equals);
    if (option == "implicit") return policy.implicit = true;
    if (option == "cleartext") return policy.cleartext_password = true;
    if (equals == std::string_view::npos) return false;
    const std::string_view value = option.substr(equals + 1);
    if (value.empty()) return false;
    if (name == "min") {
        policy.only_13 = value == "1.3";
        return policy.only_13 || value == "1.2";
    }
    if (name == "ca") {
        policy.ca_file = value;
        return true;
    }
    if (name == "name") {
        policy.names.push_back(lower(value));
        return true;
    }
    const auto digest = name == "sha256" ? parse_digest(value) : std::nullopt;
    if (digest) policy.digests.push_back(*digest);
    return digest.has_value();
}

// An option that its level would ignore is a misunderstanding: somebody believes to be safer than he is.
bool is_consistent(const TlsPolicy& policy) {
    const bool verifies = policy.level == TlsLevel::verify;
    if (policy.digests.empty() == (policy.level == TlsLevel::fingerprint)) return false;
    if (!verifies && (!policy.ca_file.empty() || !policy.names.empty())) return false;
    return policy.level != TlsLevel::none || (!policy.implicit && !policy.only_13);
}

}  // namespace

std::string_view name_of(TlsLevel level) {
    for (const auto& [name, candidate] : levels)
        if (candidate == level) return name;
    return "";
}

std::string TlsPolicy::identity() const {
    std::string text(name_of(level));
    if (implicit) text += " implicit";
    if (only_13) text += " min=1.3";
    if (cleartext_password) text += " cleartext";
    if (!ca_file.empty()) text += " ca=" + ca_file;
    for (const std::string& name : names) text += " name=" + name;
    for (const std::string& digest : digests) text += " sha256=" + digest;
    return text;
}

TlsPolicy parse_tls_policy(std::string_view text) {
    TlsPolicy policy;
    policy.usable = false;
    bool first = true;
    while (!(text = trim(text)).empty()) {
        const std::string_view word = text.substr(0, text.find_first_of(" \t"));
        text.remove_prefix(word.size());
        if (first) {
            const auto level = parse_level(word);
            if (!level) return policy;
            policy.level = *level;
        } else if (!take_option(word, policy)) {
            return policy;
        }
        first = false;
    }
    policy.usable = !first && is_consistent(policy);
    return policy;
}

TlsDestinations::TlsDestinations(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        const std::size_t bracket = line.starts_with('[') ? line.find(']') : std::string::npos;
        const std::size_t end = line.find_first_of(": \t", bracket == std::string::npos ? 0 : bracket);
        const std::string key = lower(line.substr(0, end));
        // Who forgot the colon meant something: the line counts, and cannot be used.
        const bool has_colon = end != std::string::npos && line[end] == ':';
        TlsPolicy policy = parse_tls_policy(has_colon ? std::string_view(line).substr(end + 1) : "");
        policy.line = line;
        policy.named = !key.empty();
        policies_.emplace(key, std::move(policy));
    }
    if (const auto found = policies_.find(""); found != policies_.end()) fallback_ = found->second;
}

const TlsPolicy* TlsDestinations::find(std::string_view name) const {
    if (name.empty()) return nullptr;
    std::string key = lower(name);
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
