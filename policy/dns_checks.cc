// What DNS says of the client's address and of the sender's domain.
#include <algorithm>

#include "mail/address.h"
#include "net/reverse_name.h"
#include "net/socket.h"
#include "policy/check.h"

namespace relais::policy {
namespace {

using net::DnsAnswer;
using net::DnsStatus;
using net::RecordType;

// Names of one address that are looked up: a hostile zone may have any number of them.
constexpr std::size_t names_asked = 10;

bool has_no_answer(const DnsAnswer& answer) {
    return answer.status == DnsStatus::failed || answer.status == DnsStatus::bogus;
}

// RFC 7505: the only MX is ".".
bool is_null_mx(const DnsAnswer& answer) {
    return std::all_of(answer.records.begin(), answer.records.end(),
                       [](const net::DnsRecord& record) { return record.text.empty(); });
}

Result no_mail_to(std::string_view domain, std::string_view what) {
    return found("553 sorry, your sender's domain cannot receive mail (#5.1.8)",
                 "the sender's domain " + std::string(domain) + " " + std::string(what));
}

bool leads_to(const std::vector<DnsAnswer>& answers, std::string_view ip) {
    for (const DnsAnswer& answer : answers)
        for (const net::DnsRecord& record : answer.records)
            if (net::canonical_address(record.text) == ip) return true;
    return false;
}

}  // namespace

Result check_mfcheck(Facts& facts) {
    const mail::AddressParts sender = mail::split_address(facts.sender);
    if (facts.sender.empty() || mail::address_literal(sender.domain)) return {};
    if (!authres::is_domain_name(sender.domain)) return no_mail_to(sender.domain, "is no domain name");
    const std::string domain(sender.domain);
    const std::vector<net::DnsQuestion> questions = {
        {RecordType::mx, domain}, {RecordType::a, domain}, {RecordType::aaaa, domain}};
    const auto answers = facts.dns->ask_all(questions, facts.dns_deadline);
    const DnsAnswer& mx = answers[0];
    if (mx.status == DnsStatus::found)
        return is_null_mx(mx) ? no_mail_to(domain, "says that it takes no mail (null MX)") : Result{};
    if (has_no_answer(mx))
        return cannot_tell("451 unable to look up your sender's domain now (#4.4.3)",
                           "DNS does not say whether the sender's domain " + domain + " can receive mail");
    if (mx.status == DnsStatus::no_such_name) return no_mail_to(domain, "does not exist");
    if (answers[1].status == DnsStatus::found || answers[2].status == DnsStatus::found) return {};
    if (has_no_answer(answers[1]) || has_no_answer(answers[2]))
        return cannot_tell("451 unable to look up your sender's domain now (#4.4.3)",
                           "DNS does not say whether the sender's domain " + domain + " has an address");
    return no_mail_to(domain, "has neither MX nor address");
}

Result check_reversedns(Facts& facts) {
    const std::string name = net::reverse_name(facts.client.ip);
    if (name.empty()) return {};
    constexpr std::string_view no_name =
        "550 sorry, your address has no name that leads back to it (#5.7.25)";
    constexpr std::string_view not_now = "451 unable to look up the name of your address now (#4.4.3)";
    const DnsAnswer names = facts.dns->ask(RecordType::ptr, name, facts.dns_deadline);
    if (has_no_answer(names))
        return cannot_tell(std::string(not_now), "DNS does not say what name the client's address has");
    if (names.status != DnsStatus::found)
        return found(std::string(no_name), "the client's address has no name in DNS");
    const RecordType type = facts.client.ip.find(':') == std::string::npos ? RecordType::a : RecordType::aaaa;
    std::vector<net::DnsQuestion> questions;
    for (const net::DnsRecord& record : names.records)
        if (questions.size() < names_asked) questions.push_back({type, record.text});
    const auto answers = facts.dns->ask_all(questions, facts.dns_deadline);
    if (leads_to(answers, facts.client.ip)) return {};
    if (std::any_of(answers.begin(), answers.end(), has_no_answer))
        return cannot_tell(std::string(not_now), "DNS does not say where the client's name leads");
    return found(std::string(no_name),
                 "the client's name " + questions.front().name + " does not lead back to its address");
}

Result check_earlytalker(Facts& facts) {
    if (!facts.early_talker) return {};
    return found("554 sorry, you spoke before my greeting (#5.5.0)", "the client spoke before the greeting");
}

}  // namespace relais::policy
