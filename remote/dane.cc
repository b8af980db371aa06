#include "remote/dane.h"

#include <algorithm>

namespace relais::remote {
namespace {

using Ask = std::function<net::DnsAnswer(net::RecordType, const std::string&)>;

bool is_unanswered(const net::DnsAnswer& answer) {
    return answer.status == net::DnsStatus::failed || answer.status == net::DnsStatus::bogus;
}

Dane unknown(const std::string& name, const net::DnsAnswer& answer) {
    Dane found{Dane::State::unknown, name};
    found.forged = answer.status == net::DnsStatus::bogus;
    return found;
}

Dane look_at(const Ask& ask, const std::string& base, std::uint16_t port) {
    const std::string name = "_" + std::to_string(port) + "._tcp." + base;
    const net::DnsAnswer answer = ask(net::RecordType::tlsa, name);
    if (is_unanswered(answer)) return unknown(name, answer);
    Dane found{Dane::State::none, name};
    if (answer.status != net::DnsStatus::found || !answer.secure) return found;
    for (const net::DnsRecord& text : answer.records) {
        auto record = tls::parse_tlsa(text.text);
        if (record && tls::is_usable(*record))
            found.records.push_back(*std::move(record));
        else
            ++found.ignored;
    }
    found.state = found.records.empty() ? Dane::State::unusable : Dane::State::usable;
    found.names = {base};
    return found;
}

// The names whose records count, the first one that has any.
std::vector<std::string> bases(const DaneQuestion& question) {
    if (question.alias_of.empty()) return {question.host};
    // What is behind the alias may be without DNSSEC: then the alias itself was validated.
    if (!question.secure) return {question.host};
    return {question.alias_of, question.host};
}

}  // namespace

Dane find_dane(const Ask& ask, const DaneQuestion& question) {
    Dane found;
    found.name = question.host;
    if (!question.secure) {
        if (question.alias_of.empty()) return found;
        const net::DnsAnswer alias = ask(net::RecordType::cname, question.host);
        if (is_unanswered(alias)) return unknown(question.host, alias);
        if (alias.status != net::DnsStatus::found || !alias.secure) return found;
    }
    for (const std::string& base : bases(question)) {
        found = look_at(ask, base, question.port);
        if (found.state != Dane::State::none) break;
    }
    if (found.names.empty()) return found;
    for (const std::string& name : question.other_names)
        if (!name.empty()) found.names.push_back(name);
    if (found.names.front() != question.host) found.names.push_back(question.host);
    return found;
}

bool leaves_to_dns(const TlsPolicy& policy) {
    return policy.usable && !policy.named &&
           (policy.level == TlsLevel::may || policy.level == TlsLevel::encrypt);
}

TlsPolicy with_dane(const TlsPolicy& policy, const Dane& found) {
    if (found.state != Dane::State::usable && found.state != Dane::State::unusable) return policy;
    TlsPolicy strict = policy;
    strict.level = found.state == Dane::State::usable ? TlsLevel::dane : TlsLevel::encrypt;
    strict.tlsa = found.records;
    strict.tlsa_name = found.name;
    strict.names = found.names;
    return strict;
}

Verdict dane_unknown(const Dane& found) {
    return {Letter::temporary,
            "Sorry, I couldn't find out whether there are TLSA records (DANE) at " + found.name + ": " +
                (found.forged ? "DNSSEC says that the answer is forged" : "DNS does not answer") +
                ". Nothing is sent to that server before its DNS is mended, unless "
                "control/tlsdestinations has a line for it. (#4.4.3)\n"};
}

}  // namespace relais::remote
