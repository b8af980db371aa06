#include "explain/exchangers.h"

#include <algorithm>
#include <set>

#include "explain/provider.h"
#include "net/socket.h"

namespace relais::explain {
namespace {

using remote::AddressKind;
using Host = remote::SearchTrace::Host;

std::string_view kind_words(AddressKind kind) {
    switch (kind) {
        case AddressKind::ours:
            return "this host";
        case AddressKind::private_:
            return "private";
        case AddressKind::unusable:
            return "no host's address";
        case AddressKind::global:
            break;
    }
    return "";
}

std::string addresses_of(const Host& host) {
    std::string text;
    for (const auto& address : host.addresses) {
        text += (text.empty() ? "" : ", ") + address.text;
        if (const auto words = kind_words(address.kind); !words.empty())
            text.append(" (").append(words).append(")");
    }
    if (!text.empty()) return text;
    if (!host.asked) return net::canonical_address(host.name) ? "an address, not a name" : "not looked up";
    return unanswered(host.status) ? "DNS does not answer" : "no address";
}

// What a search has found, kept in one order: servers of equal preference are tried in any.
void put_in_order(remote::SearchTrace& trace) {
    std::stable_sort(trace.hosts.begin(), trace.hosts.end(), [](const Host& a, const Host& b) {
        return std::pair(a.preference, a.name) < std::pair(b.preference, b.name);
    });
    for (Host& host : trace.hosts)
        std::sort(host.addresses.begin(), host.addresses.end(),
                  [](const auto& a, const auto& b) { return a.text < b.text; });
}

void check_host(const Host& host, bool may_be_private, RouteReport& report) {
    if (net::canonical_address(host.name) && host.addresses.empty()) {
        report.find(
            Weight::warning, "mx_is_address",
            "the MX " + host.name + " is an address; an MX record must hold a name, so it is not used",
            "give the host a name with an A record, and put the name into the MX record");
        return;
    }
    if (!host.alias_of.empty())
        report.find(Weight::warning, "mx_is_alias",
                    "the MX " + host.name + " is an alias (CNAME) of " + host.alias_of +
                        ", which RFC 2181 forbids: some servers refuse to send there",
                    "put " + host.alias_of + " itself into the MX record");
    if (!host.asked) return;
    if (unanswered(host.status))
        report.find(Weight::warning, "mx_lookup_failed",
                    "DNS does not tell the addresses of the MX " + host.name + " now");
    else if (host.addresses.empty())
        report.find(Weight::warning, "mx_without_address", "the MX " + host.name + " has no address",
                    "add an A or AAAA record for " + host.name + ", or remove the MX record");
    else if (has_kind(host, AddressKind::private_) && !may_be_private)
        report.find(Weight::warning, "mx_private",
                    "the MX " + host.name + " has a private address, which is not used",
                    "if it is a server of your own network: a line in control/smtproutes, or the domain in "
                    "control/privatemx");
    else if (has_kind(host, AddressKind::unusable))
        report.find(Weight::warning, "mx_unusable",
                    "the MX " + host.name + " has an address that no host can have");
}

}  // namespace

bool unanswered(net::DnsStatus status) {
    return status == net::DnsStatus::failed || status == net::DnsStatus::bogus;
}

bool has_kind(const Host& host, AddressKind kind) {
    return std::any_of(host.addresses.begin(), host.addresses.end(),
                       [&](const auto& address) { return address.kind == kind; });
}

Search::Search(const Surroundings& around, const std::string& domain, Dns& dns, RemoteEnd& end)
    : end_(end),
      search_(dns.resolver(), domain, end.route,
              remote::address_policy(around.files, around.settings, ours_, domain, end.route),
              around.settings.timeout_dns, &end.search) {
    while (auto server = search_.next()) end.servers.push_back(*std::move(server));
    put_in_order(end.search);
    end.asked = dns.source();
}

void show_hosts(const RemoteEnd& end, RouteReport& report) {
    const remote::SearchTrace& trace = end.search;
    if (trace.asked_mx) {
        std::string words;
        switch (trace.mx_status) {
            case net::DnsStatus::found:
                words = std::to_string(trace.hosts.size() + trace.dropped) + " for " + end.domain;
                if (trace.hosts.empty()) words = "a null MX: " + end.domain + " takes no mail";
                break;
            case net::DnsStatus::no_such_record:
                words = "none: " + end.domain + " itself is the server";
                break;
            case net::DnsStatus::no_such_name:
                words = "DNS has no name " + end.domain;
                break;
            default:
                words = "DNS does not answer";
        }
        if (!trace.mx_alias.empty()) words += " (an alias of " + trace.mx_alias + ")";
        report.step("MX", words);
    }
    for (const Host& host : trace.hosts) {
        std::string words =
            trace.asked_mx && !trace.no_exchanger ? std::to_string(host.preference) + " " : "";
        words += host.name;
        if (!host.alias_of.empty()) words += " (an alias of " + host.alias_of + ")";
        const bool literal = host.addresses.size() == 1 && host.addresses[0].text == host.name;
        const std::string_view kind = literal ? kind_words(host.addresses[0].kind) : "";
        if (literal)
            words += kind.empty() ? "" : " (" + std::string(kind) + ")";
        else
            words += ": " + addresses_of(host);
        report.step("", words);
    }
}

void check_hosts(const RemoteEnd& end, bool may_be_private, RouteReport& report) {
    if (!end.search.asked_mx) return;
    std::set<std::string> providers;
    std::string names;
    for (const Host& host : end.search.hosts) {
        if (!end.search.no_exchanger) check_host(host, may_be_private, report);
        // This host beside another's servers is a backup, and what to say about that is said elsewhere.
        if (net::canonical_address(host.name) || has_kind(host, AddressKind::ours)) continue;
        if (providers.insert(provider_of(host.name)).second)
            names += (names.empty() ? "" : ", ") + provider_of(host.name);
    }
    if (providers.size() > 1)
        report.find(Weight::warning, "mixed_providers",
                    "the MX records name servers of different providers (" + names +
                        "): mail may land at any of them, and each must know every mailbox",
                    "remove the records of the provider that was left, if one was");
    if (end.search.dropped > 0)
        report.find(Weight::note, "many_mx",
                    std::to_string(end.search.dropped) + " further MX records are not used");
}

}  // namespace relais::explain
