#include "authres/dns.h"

#include <algorithm>

#include "base/text.h"

namespace relais::authres {

net::DnsAnswer Dns::ask(net::RecordType type, std::string_view name, Deadline deadline) {
    const net::DnsQuestion question{type, std::string(name)};
    return std::move(ask_all({&question, 1}, deadline).front());
}

std::vector<net::DnsAnswer> ResolverDns::ask_all(std::span<const net::DnsQuestion> questions,
                                                 Deadline deadline) {
    return resolver_.ask_all(questions, deadline);
}

std::vector<std::vector<net::DnsAnswer>> ResolverDns::ask_apart(
    std::span<const std::vector<net::DnsQuestion>> groups, Deadline deadline) {
    return resolver_.ask_apart(groups, deadline);
}

// Who answers at once keeps nobody waiting.
std::vector<std::vector<net::DnsAnswer>> Dns::ask_apart(std::span<const std::vector<net::DnsQuestion>> groups,
                                                        Deadline deadline) {
    std::vector<std::vector<net::DnsAnswer>> answers;
    for (const auto& questions : groups) answers.push_back(ask_all(questions, deadline));
    return answers;
}

std::string_view without_final_dot(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    return name;
}

bool is_domain_name(std::string_view name) {
    name = without_final_dot(name);
    if (name.empty() || name.size() > 253) return false;
    const auto labels = split(name, '.');
    return std::all_of(labels.begin(), labels.end(),
                       [](std::string_view label) { return !label.empty() && label.size() <= 63; });
}

bool is_at_or_below(std::string_view name, std::string_view domain) {
    name = without_final_dot(name);
    domain = without_final_dot(domain);
    if (name.size() < domain.size()) return false;
    if (!equal_ignoring_case(name.substr(name.size() - domain.size()), domain)) return false;
    return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

}  // namespace relais::authres
