#include "authres/spf_evaluation.h"

#include <algorithm>

#include "base/text.h"
#include "mail/address.h"

namespace relais::authres {
namespace {

using net::DnsAnswer, net::DnsStatus, net::RecordType;
using Mechanism = SpfDirective::Mechanism;

// RFC 7208, 4.6.4.
constexpr unsigned term_limit = 10;
constexpr unsigned void_limit = 2;
constexpr std::size_t name_limit = 10;
// Further expansions of macros can no longer become part of a name.
constexpr std::size_t expansion_limit = 2048;

bool failed(DnsStatus status) {
    return status == DnsStatus::failed || status == DnsStatus::bogus;
}

// Decimal octets of IPv4, hexadecimal digits of IPv6.
std::vector<std::string> dotted_parts(std::string_view octets) {
    static constexpr std::string_view hex = "0123456789ABCDEF";
    std::vector<std::string> parts;
    for (const char c : octets) {
        const auto octet = static_cast<unsigned char>(c);
        if (octets.size() == 4) {
            parts.push_back(std::to_string(octet));
        } else {
            parts.emplace_back(1, hex[octet >> 4]);
            parts.emplace_back(1, hex[octet & 15]);
        }
    }
    return parts;
}

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ".") + part;
    return text;
}

}  // namespace

SpfEvaluation::SpfEvaluation(Dns& dns, const SpfQuestion& question, Deadline deadline)
    : dns_(dns), question_(question), deadline_(deadline), octets_(address_octets(question.ip).value_or("")) {
    const auto parts = mail::split_address(question.sender);
    local_ = parts.local;
    sender_domain_ = parts.domain;
}

SpfEvaluation::Verdict SpfEvaluation::check(const std::string& domain, bool included) {
    if (!is_domain_name(domain)) return {SpfResult::none, domain + " is no domain name"};
    const DnsAnswer answer = ask(RecordType::txt, domain);
    if (failed(answer.status)) return {SpfResult::temperror, "no answer from DNS for " + domain};
    const net::DnsRecord* found = nullptr;
    for (const net::DnsRecord& record : answer.records) {
        if (!is_spf_record(record.text)) continue;
        if (found) return {SpfResult::permerror, domain + " has more than one SPF record"};
        found = &record;
    }
    if (!found) return {SpfResult::none, domain + " has no SPF record"};
    auto parsed = parse_spf_record(found->text);
    if (const auto* error = std::get_if<SpfSyntaxError>(&parsed))
        return {SpfResult::permerror, "record of " + domain + ": " + error->text};
    return evaluate(std::get<SpfRecord>(parsed), domain, included);
}

SpfEvaluation::Verdict SpfEvaluation::evaluate(const SpfRecord& record, const std::string& domain,
                                               bool included) {
    bool has_all = false;
    for (const SpfDirective& directive : record.directives) {
        has_all = has_all || directive.mechanism == Mechanism::all;
        const Match matched = match(directive, domain);
        if (matched == Match::temperror) return {SpfResult::temperror, why_};
        if (matched == Match::permerror) return {SpfResult::permerror, why_};
        if (matched == Match::no) continue;
        if (directive.qualifier == SpfResult::fail && record.explanation && !included)
            explain(*record.explanation, domain);
        return {directive.qualifier, question_.ip + " matches \"" + directive.text + "\" of " + domain};
    }
    if (!record.redirect || has_all)
        return {SpfResult::neutral, "nothing in the record of " + domain + " matches " + question_.ip};
    if (!count_term()) return {SpfResult::permerror, why_};
    const std::string target = expand_domain(*record.redirect, domain);
    Verdict verdict = check(target, included);
    if (verdict.result == SpfResult::none)
        verdict = {SpfResult::permerror, "redirect of " + domain + ": " + verdict.reason};
    return verdict;
}

SpfEvaluation::Match SpfEvaluation::stop(Match match, std::string why) {
    why_ = std::move(why);
    return match;
}

bool SpfEvaluation::count_term() {
    if (++lookups_ <= term_limit) return true;
    lookups_ = term_limit;
    why_ = "more than 10 terms that ask DNS";
    return false;
}

bool SpfEvaluation::count_void(DnsStatus status) {
    if (status != DnsStatus::no_such_name && status != DnsStatus::no_such_record) return true;
    if (++void_lookups_ <= void_limit) return true;
    why_ = "more than 2 names without a record";
    return false;
}

SpfEvaluation::Match SpfEvaluation::match(const SpfDirective& directive, const std::string& domain) {
    switch (directive.mechanism) {
        case Mechanism::all:
            return Match::yes;
        case Mechanism::ip4:
            return has_prefix(octets_, directive.network, directive.prefix4) ? Match::yes : Match::no;
        case Mechanism::ip6:
            return has_prefix(octets_, directive.network, directive.prefix6) ? Match::yes : Match::no;
        default:
            break;
    }
    if (!count_term()) return Match::permerror;
    const std::string target = directive.domain ? expand_domain(*directive.domain, domain) : domain;
    if (directive.mechanism == Mechanism::include) return match_include(target);
    // What macros have made of it need not be a name; such a one has no records.
    if (!is_domain_name(target)) return Match::no;
    switch (directive.mechanism) {
        case Mechanism::a:
            return match_addresses(directive, target);
        case Mechanism::mx:
            return match_mx(directive, target);
        case Mechanism::ptr:
            return match_ptr(target);
        default:
            return match_exists(target);
    }
}

// RFC 7208, 5.2.
SpfEvaluation::Match SpfEvaluation::match_include(const std::string& target) {
    const Verdict verdict = check(target, true);
    switch (verdict.result) {
        case SpfResult::pass:
            return Match::yes;
        case SpfResult::fail:
        case SpfResult::softfail:
        case SpfResult::neutral:
            return Match::no;
        case SpfResult::none:
        case SpfResult::permerror:
            return stop(Match::permerror, "include: " + verdict.reason);
        case SpfResult::temperror:
            break;
    }
    return stop(Match::temperror, "include: " + verdict.reason);
}

RecordType SpfEvaluation::address_type() const {
    return octets_.size() == 4 ? RecordType::a : RecordType::aaaa;
}

bool SpfEvaluation::is_client(const DnsAnswer& answer, const SpfDirective& directive) const {
    const unsigned bits = octets_.size() == 4 ? directive.prefix4 : directive.prefix6;
    return std::any_of(answer.records.begin(), answer.records.end(), [&](const net::DnsRecord& record) {
        const auto octets = address_octets(record.text);
        return octets && has_prefix(octets_, *octets, bits);
    });
}

SpfEvaluation::Match SpfEvaluation::match_addresses(const SpfDirective& directive,
                                                    const std::string& target) {
    const DnsAnswer answer = ask(address_type(), target);
    if (failed(answer.status)) return stop(Match::temperror, "no answer from DNS for " + target);
    if (!count_void(answer.status)) return Match::permerror;
    return is_client(answer, directive) ? Match::yes : Match::no;
}

SpfEvaluation::Match SpfEvaluation::match_mx(const SpfDirective& directive, const std::string& target) {
    const DnsAnswer answer = ask(RecordType::mx, target);
    if (failed(answer.status)) return stop(Match::temperror, "no answer from DNS for " + target);
    if (!count_void(answer.status)) return Match::permerror;
    if (answer.records.size() > name_limit)
        return stop(Match::permerror, target + " has more than 10 MX records");
    std::vector<net::DnsQuestion> questions;
    for (const net::DnsRecord& record : answer.records)
        if (is_domain_name(record.text)) questions.push_back({address_type(), record.text});
    const auto answers = dns_.ask_all(questions, deadline_);
    for (const DnsAnswer& host : answers)
        if (is_client(host, directive)) return Match::yes;
    for (std::size_t i = 0; i < answers.size(); ++i)
        if (failed(answers[i].status))
            return stop(Match::temperror, "no answer from DNS for " + questions[i].name);
    return Match::no;
}

SpfEvaluation::Match SpfEvaluation::match_ptr(const std::string& target) {
    const auto& names = validated_names();
    if (!count_void(ptr_status_)) return Match::permerror;
    const bool found = std::any_of(names.begin(), names.end(),
                                   [&](const std::string& name) { return is_at_or_below(name, target); });
    return found ? Match::yes : Match::no;
}

SpfEvaluation::Match SpfEvaluation::match_exists(const std::string& target) {
    const DnsAnswer answer = ask(RecordType::a, target);
    if (failed(answer.status)) return stop(Match::temperror, "no answer from DNS for " + target);
    if (!count_void(answer.status)) return Match::permerror;
    return answer.status == DnsStatus::found ? Match::yes : Match::no;
}

// The client's names by reverse DNS that lead back to its address (RFC 7208, 5.5). What DNS does not answer
// is no name.
const std::vector<std::string>& SpfEvaluation::validated_names() {
    if (validated_) return *validated_;
    validated_.emplace();
    const char* zone = octets_.size() == 4 ? ".in-addr.arpa" : ".ip6.arpa";
    const DnsAnswer answer = ask(RecordType::ptr, reversed_address() + zone);
    ptr_status_ = answer.status;
    std::vector<net::DnsQuestion> questions;
    for (const net::DnsRecord& record : answer.records)
        if (questions.size() < name_limit && is_domain_name(record.text))
            questions.push_back({address_type(), record.text});
    const auto answers = dns_.ask_all(questions, deadline_);
    const SpfDirective exactly;
    for (std::size_t i = 0; i < answers.size(); ++i)
        if (is_client(answers[i], exactly)) validated_->push_back(questions[i].name);
    return *validated_;
}

void SpfEvaluation::explain(const MacroString& where, const std::string& domain) {
    const std::string name = expand_domain(where, domain);
    if (!is_domain_name(name)) return;
    const DnsAnswer answer = ask(RecordType::txt, name);
    if (answer.status != DnsStatus::found || answer.records.size() != 1) return;
    const auto text = parse_macro_string(answer.records.front().text, MacroUse::explanation);
    if (!text) return;
    explanation_ = text->expand([&](char letter) { return macro_value(letter, domain); }, expansion_limit);
    const bool printable =
        std::all_of(explanation_.begin(), explanation_.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (!printable) explanation_.clear();
}

// A name that is too long loses labels at its left (RFC 7208, 7.3).
std::string SpfEvaluation::expand_domain(const MacroString& text, const std::string& domain) {
    std::string name = text.expand([&](char letter) { return macro_value(letter, domain); }, expansion_limit);
    name = without_final_dot(name);
    while (name.size() > 253) {
        const std::size_t dot = name.find('.');
        if (dot == std::string::npos) break;
        name.erase(0, dot + 1);
    }
    return name;
}

std::string SpfEvaluation::reversed_address() const {
    auto parts = dotted_parts(octets_);
    std::reverse(parts.begin(), parts.end());
    return joined(parts);
}

// RFC 7208, 7.2.
std::string SpfEvaluation::macro_value(char letter, const std::string& domain) {
    switch (letter) {
        case 's':
            return question_.sender;
        case 'l':
            return local_;
        case 'o':
            return sender_domain_;
        case 'd':
            return domain;
        case 'i':
            return joined(dotted_parts(octets_));
        case 'p':
            return validated_name(domain);
        case 'v':
            return octets_.size() == 4 ? "in-addr" : "ip6";
        case 'h':
            return question_.helo;
        case 'c':
            return question_.ip;
        case 'r':
            return question_.receiver;
        default:
            return std::to_string(question_.now);
    }
}

// The domain itself, else a name below it, else any.
std::string SpfEvaluation::validated_name(const std::string& domain) {
    const auto& names = validated_names();
    for (const std::string& name : names)
        if (equal_ignoring_case(name, domain)) return name;
    for (const std::string& name : names)
        if (is_at_or_below(name, domain)) return name;
    return names.empty() ? "unknown" : names.front();
}

}  // namespace relais::authres
