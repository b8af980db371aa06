#include "explain/remote_route.h"

#include <fcntl.h>

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "explain/connection_words.h"
#include "explain/exchangers.h"
#include "explain/no_server.h"
#include "explain/offers.h"
#include "mail/address.h"
#include "queue/store.h"
#include "remote/domain_policy.h"
#include "remote/tcpto.h"

namespace relais::explain {
namespace {

using remote::AddressKind;
using Host = remote::SearchTrace::Host;

// Servers that have not answered lately are passed over for about an hour.
void check_resting(const Surroundings& around, const RemoteEnd& end, RouteReport& report) {
    const remote::TimeoutTable table(
        Fd(::open(queue::tcpto_path(around.home).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)));
    for (const remote::Server& server : end.servers)
        for (const std::string& address : server.addresses)
            if (table.is_resting(address, now_seconds()))
                report.find(
                    Weight::warning, "resting",
                    server.name + " [" + address + "] has timed out twice and is left alone for an hour",
                    "qmail-tcpok forgets that");
}

std::string server_words(const RemoteEnd& end) {
    const remote::Server& server = end.servers.front();
    std::string first = server.addresses.front();
    for (const std::string& each : server.addresses)
        if ((each.find(':') != std::string::npos) == (first.find(':') != std::string::npos))
            first = std::min(first, each);
    const std::string name = server.name == first ? "[" + first + "]" : server.name + " [" + first + "]";
    const std::string port =
        end.route.port == remote::smtp_port ? "" : " port " + std::to_string(end.route.port);
    const auto equals = std::count_if(
        end.search.hosts.begin(), end.search.hosts.end(),
        [&](const Host& host) { return host.preference == end.search.hosts.front().preference; });
    const std::string protocol = end.route.protocol == remote::Protocol::qmtp ? " by QMTP" : "";
    return name + port + protocol + (equals > 1 ? ", one of " + std::to_string(equals) + " equal ones" : "");
}

// A server picked at random among equals must not make two answers of one question.
void settle(RemoteEnd& end) {
    const auto preference = [&](const remote::Server& server) {
        for (const Host& host : end.search.hosts)
            if (host.name == server.name) return host.preference;
        return std::uint16_t{0};
    };
    std::stable_sort(end.servers.begin(), end.servers.end(), [&](const auto& a, const auto& b) {
        return std::pair(preference(a), a.name) < std::pair(preference(b), b.name);
    });
}

// What DNS asks of connections to each of the servers, in qmail-remote's way.
void look_for_tlsa(const Surroundings& around, Search& search, RemoteEnd& end) {
    for (const remote::Server& server : end.servers) {
        const auto policy = remote::tls_policy_of(around.settings, end.route, end.domain, server.name);
        end.dane.push_back(remote::leaves_to_dns(policy) ? search.dane(server) : remote::Dane{});
    }
}

void settle_remote(const Surroundings& around, Search& search, Dns& dns, RouteReport& report) {
    RemoteEnd& end = *report.remote;
    settle(end);
    end.chosen_securely = search.chosen_securely();
    if (around.settings.dane) look_for_tlsa(around, search, end);
    if (around.settings.mtasts && end.route.host.empty()) {
        sts::Policies policies(around.home);
        end.domain_policy =
            remote::find_domain_policy(dns.resolver(), policies, end.domain, around.settings.timeout_dns);
    }
    report.fate = Fate::remote;
    report.answer = "goes to " + server_words(end);
    const Host& best = end.search.hosts.front();
    if (end.search.no_exchanger)
        report.find(Weight::note, "no_mx",
                    end.domain + " has no MX record: its mail goes to the address of the domain itself",
                    "if it is yours, give it an MX record");
    if (end.search.asked_mx && end.servers.front().name != best.name)
        report.find(Weight::warning, "best_mx_unusable",
                    "the best MX " + best.name + " cannot be used; mail goes to a worse one");
    if (!end.route.host.empty() && has_kind(best, AddressKind::ours) && end.route.port == remote::smtp_port)
        report.find(
            Weight::warning, "smtproute_to_me",
            end.route.file() +
                std::string(" sends it to this host itself, port 25: unless another server listens there, ") +
                "mail goes round until it has too many hops",
            "correct the line, or put the domain into control/locals");
    check_resting(around, end, report);
    if (around.rcpthosts.empty() || end.route.named) return;
    if (search.is_me())
        report.find(Weight::note, "backup_mx",
                    "this host is a backup for " + end.domain + ": control/" + around.rcpthosts +
                        " takes its mail, and it goes on to the better MX");
    else
        report.find(
            Weight::warning, "rcpthosts_only",
            "control/" + around.rcpthosts + " takes mail for " + end.domain +
                " from everybody, but it is neither local nor routed, and this host is none of its MX",
            "put it into control/locals, control/virtualdomains or control/smtproutes, or remove it from "
            "control/" +
                around.rcpthosts);
}

std::string route_words(const remote::Route& route, const std::string& domain) {
    if (route.line.empty()) return "no line for " + domain + ": by MX";
    if (route.protocol != remote::Protocol::smtp) return "the line " + route.line;
    return "the line " + route.line + (route.host.empty() && route.usable ? " (by MX, on that port)" : "");
}

}  // namespace

void explain_remote(const Surroundings& around, const RouteOptions& options, const std::string& domain,
                    Dns* dns, RouteReport& report) {
    report.remote.emplace();
    RemoteEnd& end = *report.remote;
    end.domain = domain.ends_with('.') ? domain.substr(0, domain.size() - 1) : domain;
    end.route = remote::route_of(around.settings, options.sender, end.domain);
    report.step(end.route.name(), route_words(end.route, end.domain));
    if (!end.route.socket.empty()) {
        report.fate = Fate::remote;
        report.answer = "is stored by the server of LMTP at " + end.route.socket + ", by " + end.route.file();
        if (!end.route.usable) report.answer += ": " + end.route.complaint + ", so it waits";
        return;
    }
    if (dns == nullptr) {
        report.fate = Fate::remote;
        report.answer = end.route.host.empty() ? "goes to the MX of " + end.domain + " (DNS was not asked)"
                                               : "goes to " + end.route.host + " by " + end.route.file();
        if (end.route.usable) show_connection(around, options.sender, report);
        return;
    }
    Search search(around, end.domain, *dns, end);
    show_hosts(end, report);
    if (search.found()) {
        settle_remote(around, search, *dns, report);
        show_connection(around, options.sender, report);
        show_offers(around, options, report);
    } else {
        explain_no_server(around, search, *dns, report);
    }
    const auto policy =
        around.settings.privatemx.contains(end.domain) || end.route.named || !around.rcpthosts.empty();
    check_hosts(end, policy, report);
}

void explain_inbound(const Surroundings& around, const std::string& domain, Dns& dns, RouteReport& report) {
    if (domain.find('.') == std::string::npos || mail::address_literal(domain)) return;
    RemoteEnd end;
    end.domain = domain;
    const Search search(around, domain, dns, end);
    show_hosts(end, report);
    const remote::SearchTrace& trace = end.search;
    if (const auto trouble = dns.trouble(); !trouble.empty() || unanswered(trace.mx_status)) {
        report.find(Weight::note, "inbound_unknown",
                    "whether others send mail for " + domain +
                        " here cannot be told: " + (trouble.empty() ? "DNS does not answer" : trouble));
        return;
    }
    const auto is_ours = [&](const Host& host) {
        return has_kind(host, AddressKind::ours) || equal_ignoring_case(host.name, around.settings.helo_host);
    };
    const auto ours = std::find_if(trace.hosts.begin(), trace.hosts.end(), is_ours);
    if (trace.mx_status == net::DnsStatus::no_such_name ||
        std::all_of(trace.hosts.begin(), trace.hosts.end(),
                    [](const Host& host) { return host.addresses.empty(); })) {
        report.find(Weight::warning, "inbound_nowhere",
                    "DNS names no server for " + domain + ": nobody else can send mail to it",
                    "an MX record for " + domain + " with the name of this host");
    } else if (ours == trace.hosts.end()) {
        report.find(
            Weight::warning, "mx_elsewhere",
            "DNS sends the mail of others for " + domain + " to " + trace.hosts.front().name +
                ", not to this host: what is sent here stays here, what is sent there does not come here",
            "if its mailboxes are there, remove " + domain +
                " from control/locals or control/virtualdomains and from control/rcpthosts; if they are "
                "here, "
                "let its MX name this host (behind NAT the public address is not one of this host: compare "
                "it)");
    } else if (ours != trace.hosts.begin() && ours->preference > trace.hosts.front().preference) {
        report.find(Weight::warning, "mx_elsewhere_first",
                    "DNS sends the mail of others for " + domain + " first to " + trace.hosts.front().name +
                        "; this host is only its backup, yet keeps the mail it gets");
    }
    check_hosts(end, true, report);
}

}  // namespace relais::explain
