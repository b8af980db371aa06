#include "smtpd/recorded_dns.h"

#include <fmt/core.h>

#include <algorithm>

namespace relais::smtpd {
namespace {

std::string_view name_of(net::RecordType type) {
    switch (type) {
        case net::RecordType::a:
            return "A";
        case net::RecordType::aaaa:
            return "AAAA";
        case net::RecordType::cname:
            return "CNAME";
        case net::RecordType::ptr:
            return "PTR";
        case net::RecordType::mx:
            return "MX";
        case net::RecordType::txt:
            return "TXT";
        case net::RecordType::tlsa:
            return "TLSA";
    }
    return "?";
}

std::string words_of(const net::DnsQuestion& question, const net::DnsAnswer& answer) {
    switch (answer.status) {
        case net::DnsStatus::no_such_name:
            return "no such name";
        case net::DnsStatus::no_such_record:
            return "no such record";
        case net::DnsStatus::failed:
            return "no answer";
        case net::DnsStatus::bogus:
            return "forged, says DNSSEC";
        case net::DnsStatus::found:
            break;
    }
    std::string text;
    for (const net::DnsRecord& record : answer.records) {
        if (text.size() > RecordedDns::longest_text) break;
        if (!text.empty()) text += " | ";
        if (question.type == net::RecordType::mx) text += fmt::format("{} ", record.preference);
        text += record.text;
    }
    return text;
}

}  // namespace

std::vector<net::DnsAnswer> RecordedDns::ask_all(std::span<const net::DnsQuestion> questions,
                                                 Deadline deadline) {
    auto answers = dns_.ask_all(questions, deadline);
    for (std::size_t i = 0; i < questions.size() && i < answers.size(); ++i) keep(questions[i], answers[i]);
    return answers;
}

std::vector<std::vector<net::DnsAnswer>> RecordedDns::ask_apart(
    std::span<const std::vector<net::DnsQuestion>> groups, Deadline deadline) {
    auto answers = dns_.ask_apart(groups, deadline);
    for (std::size_t group = 0; group < groups.size() && group < answers.size(); ++group)
        for (std::size_t i = 0; i < groups[group].size() && i < answers[group].size(); ++i)
            keep(groups[group][i], answers[group][i]);
    return answers;
}

void RecordedDns::keep(const net::DnsQuestion& question, const net::DnsAnswer& answer) {
    if (said_.size() == most_answers) return;
    std::string text = fmt::format("{} {}: {}", name_of(question.type), question.name.substr(0, longest_text),
                                   words_of(question, answer));
    if (text.size() > longest_text) text = text.substr(0, longest_text) + "...";
    for (char& c : text)
        if (c < 32 || c > 126) c = '_';
    if (answer.ttl > 0) text += fmt::format(" ({} s)", answer.ttl);
    if (std::find(said_.begin(), said_.end(), text) == said_.end()) said_.push_back(std::move(text));
}

}  // namespace relais::smtpd
