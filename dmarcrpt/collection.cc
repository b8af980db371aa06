#include "dmarcrpt/collection.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "mail/address.h"

namespace relais::dmarcrpt {
namespace {

// What tells rows apart.
std::vector<std::string> key_of(const Observation& seen) {
    std::vector<std::string> key = {seen.ip,     seen.from, seen.mail_from, seen.disposition,
                                    seen.reason, seen.dkim, seen.spf,       seen.spf_result};
    key.insert(key.end(), seen.signatures.begin(), seen.signatures.end());
    return key;
}

// "RESULT DOMAIN SELECTOR", or for SPF "RESULT SCOPE DOMAIN".
AuthResult signature_of(std::string_view text) {
    const auto words = split(text, ' ');
    if (words.size() != 3) return {};
    return {std::string(words[1]), std::string(words[2]), std::string(words[0])};
}

AuthResult spf_of(std::string_view text) {
    const auto words = split(text, ' ');
    if (words.size() != 3) return {};
    return {std::string(words[2]), std::string(words[1]), std::string(words[0])};
}

Row row_of(const Observation& seen, std::uint64_t count) {
    Row row;
    row.ip = seen.ip;
    row.count = count;
    row.disposition = seen.disposition;
    row.dkim = seen.dkim;
    row.spf = seen.spf;
    if (!seen.reason.empty()) {
        const std::size_t blank = std::min(seen.reason.find(' '), seen.reason.size());
        row.reasons.emplace_back(seen.reason.substr(0, blank),
                                 trim(std::string_view(seen.reason).substr(blank)));
    }
    row.header_from = seen.from;
    row.envelope_from = seen.mail_from;
    for (const std::string& signature : seen.signatures)
        if (auto result = signature_of(signature); !result.domain.empty())
            row.dkim_results.push_back(std::move(result));
    if (auto result = spf_of(seen.spf_result); !result.domain.empty())
        row.spf_results.push_back(std::move(result));
    return row;
}

void apply_policy(Report& report, std::string_view policy) {
    for (const std::string_view word : split(policy, ' ')) {
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string_view name = word.substr(0, equals);
        const std::string value(word.substr(equals + 1));
        if (name == "p") report.p = value;
        if (name == "sp") report.sp = value;
        if (name == "np") report.np = value;
        if (name == "adkim") report.adkim = value;
        if (name == "aspf") report.aspf = value;
        if (name == "t") report.testing = value;
    }
}

}  // namespace

Reporter Reporter::parse(std::string_view line, std::string_view me) {
    line = trim(line);
    const std::string address = reporter_address(line);
    const bool plain = std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c < 127; });
    if (address.empty() || !plain)
        throw_permanent("control/dmarcreports: not \"ADDRESS ORGANISATION\", as dmarc@example.org Example: " +
                        safe_for_log(line));
    const std::string_view organization = trim(line.substr(address.size()));
    return {address, std::string(organization.empty() ? mail::split_address(address).domain : organization),
            std::string(me)};
}

void Collection::add(Observation seen) {
    auto found = domains_.find(seen.domain);
    if (found == domains_.end()) {
        // A wildcard in DNS makes any number of domains with a record of their own.
        std::size_t& of_organization = organizations_[seen.organization];
        if (domains_.size() >= limits_.domains || of_organization >= limits_.domains_of_organization) {
            ++left_out_;
            if (of_organization == 0) organizations_.erase(seen.organization);
            return;
        }
        ++of_organization;
        found = domains_.emplace(seen.domain, Domain{}).first;
    }
    Domain& domain = found->second;
    domain.policy = seen.policy;
    auto key = key_of(seen);
    std::size_t size = 0;
    for (const std::string& part : key) size += part.size();
    if (const auto row = domain.rows.find(key); row != domain.rows.end()) {
        ++row->second.second;
    } else if (rows_ < limits_.rows && octets_ + size <= limits_.octets &&
               domain.rows.size() < limits_.rows_of_domain) {
        ++rows_;
        octets_ += size;
        domain.rows.emplace(std::move(key), std::pair(std::move(seen), std::uint64_t{1}));
    } else {
        ++domain.left_out;
    }
}

std::vector<std::string> Collection::domains() const {
    std::vector<std::string> names;
    for (const auto& [name, domain] : domains_)
        if (!domain.rows.empty()) names.push_back(name);
    return names;
}

Report Collection::report(const std::string& name, const Reporter& reporter, std::uint64_t begin,
                          std::uint64_t end) const {
    const Domain& domain = domains_.at(name);
    Report report;
    report.organization = reporter.organization;
    report.contact = reporter.address;
    report.begin = begin;
    report.end = end;
    // The same for the same time, so that one which comes twice is known.
    report.id = fmt::format("{}.{}.{}", begin, name, reporter.host);
    report.domain = name;
    apply_policy(report, domain.policy);
    if (domain.left_out > 0)
        report.errors.push_back(
            fmt::format("{} messages are not in this report, for it would be too long", domain.left_out));
    for (const auto& [key, row] : domain.rows) report.rows.push_back(row_of(row.first, row.second));
    return report;
}

}  // namespace relais::dmarcrpt
