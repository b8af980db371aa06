#include "authres/dmarc.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/idna.h"
#include "base/printable.h"
#include "base/text.h"
#include "mail/address_list.h"

namespace relais::authres {
namespace {

using net::DnsStatus, net::RecordType;
using Psd = DmarcRecord::Psd;

// A message with more domains in From is nobody's.
constexpr std::size_t from_domain_limit = 4;

bool failed(const net::DnsAnswer& answer) {
    return answer.status == DnsStatus::failed || answer.status == DnsStatus::bogus;
}

// RFC 9989, 4.10.2.
std::string organizational_domain(const std::string& domain, const std::vector<DmarcWalks::Found>& found) {
    for (const auto& [name, record] : found) {
        if (record.psd == Psd::no) return name;
        if (record.psd == Psd::yes && name != domain) return one_label_below(name, domain);
    }
    return found.empty() ? domain : found.back().domain;
}

// The record that applies to the domain: its own, its organization's, or its public suffix's.
const DmarcWalks::Found* applicable(const std::string& domain, const DmarcWalks::Walk& walk) {
    if (walk.found.empty()) return nullptr;
    if (walk.found.front().domain == domain) return &walk.found.front();
    for (const DmarcWalks::Found& found : walk.found)
        if (found.domain == walk.organizational_domain) return &found;
    return walk.found.back().record.psd == Psd::yes ? &walk.found.back() : nullptr;
}

// RFC 9989, 3.2.13: without addresses and MX it does not exist, whatever else it has. What DNS does not
// answer exists.
bool exists(DmarcWalks& walks, const std::string& domain) {
    const std::vector<net::DnsQuestion> questions{
        {RecordType::a, domain}, {RecordType::aaaa, domain}, {RecordType::mx, domain}};
    const auto answers = walks.dns().ask_all(questions, walks.deadline());
    return std::any_of(answers.begin(), answers.end(), [](const net::DnsAnswer& answer) {
        return answer.status == DnsStatus::found || failed(answer);
    });
}

void apply_policy(DmarcOutcome& outcome, const DmarcWalks::Found& found, DmarcWalks& walks) {
    const DmarcRecord& record = found.record;
    outcome.policy_domain = found.domain;
    outcome.testing = record.testing;
    outcome.published = record.policy;
    if (found.domain != outcome.from_domain) {
        if (record.subdomains) outcome.published = *record.subdomains;
        if (record.nonexistent && !exists(walks, outcome.from_domain))
            outcome.published = *record.nonexistent;
    }
    outcome.effective = outcome.published;
    if (record.testing)
        outcome.effective =
            outcome.published == DmarcPolicy::reject ? DmarcPolicy::quarantine : DmarcPolicy::none;
}

enum class Aligned { yes, no, unknown };

Aligned aligned(const DmarcOutcome& outcome, std::string_view authenticated, bool strict, DmarcWalks& walks) {
    const std::string domain = ascii_domain(without_final_dot(authenticated));
    if (domain == outcome.from_domain) return Aligned::yes;
    if (strict || !is_domain_name(domain)) return Aligned::no;
    // Of one organization are only names at or below its domain.
    if (!is_at_or_below(domain, outcome.organizational_domain)) return Aligned::no;
    const DmarcWalks::Walk& walk = walks.walk(domain);
    if (walk.organizational_domain == outcome.organizational_domain) return Aligned::yes;
    return walk.failed ? Aligned::unknown : Aligned::no;
}

// Looks for an aligned pass, and for one that might have been.
void evaluate(DmarcOutcome& outcome, const DmarcRecord& record, const SpfOutcome& spf, const DkimReport& dkim,
              DmarcWalks& walks, DmarcExtent extent) {
    bool unknown = false;
    const auto look = [&](bool passed, bool temporary, std::string_view domain, bool strict,
                          std::string_view what) {
        if (!passed && !temporary) return false;
        const Aligned how = aligned(outcome, domain, strict, walks);
        unknown = unknown || how == Aligned::unknown || (temporary && how == Aligned::yes);
        if (how != Aligned::yes || !passed) return false;
        if (outcome.dkim_aligned) return true;
        outcome.result = DmarcResult::pass;
        outcome.reason = fmt::format("{} of {} is aligned with From", what, printable(domain));
        return true;
    };
    outcome.dkim_aligned =
        std::any_of(dkim.signatures.begin(), dkim.signatures.end(), [&](const DkimVerdict& verdict) {
            return look(verdict.result == DkimResult::pass, verdict.result == DkimResult::temperror,
                        verdict.domain, record.strict_dkim, "DKIM");
        });
    if (outcome.dkim_aligned && extent == DmarcExtent::verdict) return;
    outcome.spf_aligned = look(spf.result == SpfResult::pass, spf.result == SpfResult::temperror, spf.domain,
                               record.strict_spf, "SPF");
    if (outcome.dkim_aligned || outcome.spf_aligned) return;
    outcome.result = unknown ? DmarcResult::temperror : DmarcResult::fail;
    outcome.reason = unknown ? "no answer from DNS for what might be aligned with From"
                             : "neither a DKIM signature nor SPF that passes is aligned with From";
}

DmarcOutcome check_domain(const std::string& domain, DmarcWalks& walks, const SpfOutcome& spf,
                          const DkimReport& dkim, DmarcExtent extent) {
    DmarcOutcome outcome;
    outcome.from_domain = domain;
    const DmarcWalks::Walk& walk = walks.walk(domain);
    outcome.organizational_domain = walk.organizational_domain;
    const DmarcWalks::Found* found = applicable(domain, walk);
    if (walk.failed_first || (walk.failed && (!found || found->domain != domain))) {
        outcome.result = DmarcResult::temperror;
        outcome.reason = "no answer from DNS for the policy of " + printable(domain);
        return outcome;
    }
    if (!found) {
        outcome.reason = printable(domain) + " has no DMARC record";
        return outcome;
    }
    outcome.record = found->record;
    apply_policy(outcome, *found, walks);
    if (found->record.unusable) {
        outcome.result = DmarcResult::permerror;
        outcome.reason =
            "the DMARC record of " + printable(found->domain) + " has no policy that can be read";
        return outcome;
    }
    evaluate(outcome, found->record, spf, dkim, walks, extent);
    return outcome;
}

// Of several domains in From the one counts that asks for most: a domain without a policy beside it is no way
// around it.
int gravity(const DmarcOutcome& outcome) {
    switch (outcome.result) {
        case DmarcResult::pass:
            return 0;
        case DmarcResult::none:
            return 1;
        case DmarcResult::permerror:
            return 2;
        case DmarcResult::temperror:
            return 3;
        case DmarcResult::fail:
            break;
    }
    if (outcome.effective == DmarcPolicy::none) return 4;
    return outcome.effective == DmarcPolicy::quarantine ? 5 : 6;
}

}  // namespace

std::string_view to_text(DmarcResult result) {
    switch (result) {
        case DmarcResult::none:
            return "none";
        case DmarcResult::pass:
            return "pass";
        case DmarcResult::fail:
            return "fail";
        case DmarcResult::permerror:
            return "permerror";
        case DmarcResult::temperror:
            break;
    }
    return "temperror";
}

std::optional<DmarcRecord> only_record(const net::DnsAnswer& answer) {
    std::optional<DmarcRecord> found;
    for (const net::DnsRecord& record : answer.records) {
        auto parsed = parse_dmarc_record(record.text);
        if (!parsed) continue;
        if (found) return std::nullopt;
        found = std::move(parsed);
    }
    return found;
}

const DmarcWalks::Walk& DmarcWalks::walk(const std::string& domain) {
    const auto [at, fresh] = walks_.try_emplace(domain);
    Walk& walk = at->second;
    if (!fresh) return walk;
    const auto names = tree_walk(domain);
    std::vector<net::DnsQuestion> questions;
    for (const std::string& name : names)
        if (is_domain_name("_dmarc." + name)) questions.push_back({RecordType::txt, "_dmarc." + name});
    const auto answers = dns_.ask_all(questions, deadline_);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const std::string name = questions[i].name.substr(7);
        if (failed(answers[i])) {
            walk.failed = true;
            walk.failed_first = walk.failed_first || name == domain;
        }
        auto record = only_record(answers[i]);
        if (!record) continue;
        walk.found.push_back({name, *std::move(record)});
        if (walk.found.back().record.psd != Psd::unknown) break;
    }
    walk.organizational_domain = organizational_domain(domain, walk.found);
    return walk;
}

std::optional<mail::AddressList> from_addresses(const MessageHeader& header) {
    const HeaderField* from = nullptr;
    for (const HeaderField& field : header.fields) {
        if (!equal_ignoring_case(field.name, "From")) continue;
        if (from) return std::nullopt;
        from = &field;
    }
    if (!from) return std::nullopt;
    return mail::parse_address_list(from->body());
}

std::vector<std::string> from_domains(const MessageHeader& header) {
    std::vector<std::string> domains;
    auto list = from_addresses(header);
    if (!list) return {};
    for (const mail::ListedAddress* address : mail::addresses_of(*list)) {
        const std::string domain = ascii_domain(without_final_dot(address->domain));
        if (!is_domain_name(domain)) return {};
        if (std::find(domains.begin(), domains.end(), domain) == domains.end()) domains.push_back(domain);
    }
    return domains;
}

DmarcOutcome check_dmarc(Dns& dns, const MessageHeader& header, const SpfOutcome& spf, const DkimReport& dkim,
                         Deadline deadline, DmarcExtent extent) {
    DmarcOutcome outcome;
    const auto is_from = [](const HeaderField& field) { return equal_ignoring_case(field.name, "From"); };
    if (std::none_of(header.fields.begin(), header.fields.end(), is_from)) {
        outcome.reason = "the message has no From";
        return outcome;
    }
    outcome.result = DmarcResult::permerror;
    const auto domains = from_domains(header);
    if (domains.empty() || domains.size() > from_domain_limit) {
        outcome.reason =
            domains.empty() ? "the message has not one From with a domain" : "From has too many domains";
        return outcome;
    }
    DmarcWalks walks(dns, deadline);
    for (const std::string& domain : domains) {
        DmarcOutcome next = check_domain(domain, walks, spf, dkim, extent);
        if (domain == domains.front() || gravity(next) > gravity(outcome)) outcome = std::move(next);
    }
    return outcome;
}

}  // namespace relais::authres
