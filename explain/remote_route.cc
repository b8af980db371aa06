#include "explain/remote_route.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "base/time.h"
#include "explain/provider.h"
#include "mail/address.h"
#include "net/socket.h"
#include "queue/store.h"
#include "remote/tcpto.h"
#include "tls/client_context.h"

namespace relais::explain {
namespace {

using remote::AddressKind;
using Host = remote::SearchTrace::Host;

bool unanswered(net::DnsStatus status) {
    return status == net::DnsStatus::failed || status == net::DnsStatus::bogus;
}

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

bool has_kind(const Host& host, AddressKind kind) {
    return std::any_of(host.addresses.begin(), host.addresses.end(),
                       [&](const auto& address) { return address.kind == kind; });
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

class Search {
  public:
    Search(const Surroundings& around, const std::string& domain, Dns& dns, RemoteEnd& end)
        : end_(end),
          search_(dns.resolver(), domain, end.route,
                  remote::address_policy(around.files, around.settings, ours_, domain, end.route),
                  around.settings.timeout_dns, &end.search) {
        while (auto server = search_.next()) end.servers.push_back(*std::move(server));
        put_in_order(end.search);
        end.asked = dns.source();
    }
    bool is_me() const { return search_.is_me(); }
    bool found() const { return !end_.servers.empty(); }
    const remote::Verdict& refusal() const { return search_.refusal(); }

  private:
    RemoteEnd& end_;
    remote::LocalAddresses ours_;
    remote::ServerSearch search_;
};

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
    return name + port + (equals > 1 ? ", one of " + std::to_string(equals) + " equal ones" : "");
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

std::string one_line(std::string_view text) {
    std::string line(trim(text));
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

void refuse(const Surroundings& around, const RemoteEnd& end, const Search& search, Dns& dns,
            RouteReport& report) {
    const bool for_good = search.refusal().letter == remote::Letter::permanent;
    report.fate = for_good ? Fate::bounces : Fate::waits;
    const std::string words = one_line(search.refusal().text);
    report.answer = for_good ? "bounces: " : "waits in the queue: ";
    const std::string& domain = end.domain;
    if (!end.route.usable) {
        report.answer += std::string("its line in ") + end.route.file() + " cannot be used";
        report.find(Weight::problem, "bad_smtproute", words, "write it as domain:host or domain:host:port");
    } else if (const auto trouble = dns.trouble(); !trouble.empty()) {
        report.answer += "DNS cannot be asked";
        report.find(Weight::problem, "no_resolver", trouble, "start the instance, or run this as root");
    } else if (search.is_me()) {
        report.answer +=
            "DNS says that this very server takes mail for " + domain + ", and its control files do not";
        report.find(Weight::problem, "mx_is_me", words,
                    "if its mail belongs here, put " + domain +
                        " into control/locals (or control/virtualdomains)" +
                        (around.rcpthosts.empty() ? " and control/rcpthosts" : "") +
                        ", then qmailctl reload; if not, correct its MX record");
    } else if (!end.route.host.empty() &&
               std::any_of(end.search.hosts.begin(), end.search.hosts.end(),
                           [](const Host& host) { return host.asked && unanswered(host.status); })) {
        report.answer += std::string("DNS does not answer for the server named in ") + end.route.file();
        report.find(
            Weight::problem, "dns_failed", words,
            "look at control/dnsservers or /etc/resolv.conf, and at the name servers of " + end.route.host);
    } else if (!end.route.host.empty()) {
        report.answer += std::string("the server named in ") + end.route.file() + " has no address";
        report.find(Weight::problem, "smtproute_unknown", words,
                    "correct the line, or the DNS record of " + end.route.host);
    } else if (end.search.mx_status == net::DnsStatus::no_such_name) {
        report.answer += "there is no domain " + domain;
        report.find(Weight::problem, "no_such_domain", words, "look for a typing error in the address");
    } else if (end.search.asked_mx && unanswered(end.search.mx_status)) {
        report.answer += "DNS does not answer for " + domain;
        report.find(
            Weight::problem, "dns_failed",
            end.search.mx_status == net::DnsStatus::bogus
                ? "DNSSEC says that the answer for " + domain + " is forged"
                : "no answer, or a failure of its name servers, within " +
                      std::to_string(around.settings.timeout_dns.count() - 5) + " s",
            "look at the name servers of " + domain + ", and at control/dnsservers or /etc/resolv.conf");
    } else if (end.search.asked_mx && end.search.hosts.empty()) {
        report.answer += domain + " has a null MX: it takes no mail at all";
        report.find(Weight::problem, "null_mx", words, "another address; nothing sent there can arrive");
    } else {
        report.answer += "no usable server takes mail for " + domain;
        report.find(Weight::problem, end.search.no_exchanger ? "no_mx" : "no_usable_server", words,
                    "its administrator must correct the MX records");
    }
}

void settle_remote(const Surroundings& around, const Search& search, RouteReport& report) {
    RemoteEnd& end = *report.remote;
    settle(end);
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

// How the connection to that server would be protected, and what its certificate is compared with.
std::string tls_words(const remote::TlsPolicy& policy, const remote::Route& route,
                      const std::string& server) {
    if (!policy.usable) return "the line " + policy.line + " cannot be used: " + policy.complaint;
    std::string text(remote::name_of(policy.level));
    switch (policy.level) {
        case remote::TlsLevel::none:
            text += ": never";
            break;
        case remote::TlsLevel::may:
            text += ": where it is offered, whoever the server is";
            break;
        case remote::TlsLevel::encrypt:
            text += ": required, whoever the server is";
            break;
        case remote::TlsLevel::verify:
            text += ": required, with a certificate for ";
            for (const std::string& name : policy.names)
                text += (&name == policy.names.data() ? "" : " or ") + name;
            if (policy.names.empty()) text += server;
            text += " by " + (policy.ca_file.empty() ? std::string("an authority that the system trusts (") +
                                                           tls::system_authorities + ")"
                                                     : "an authority of " + policy.ca_file);
            break;
        case remote::TlsLevel::fingerprint:
            text += ": required, with a certificate or key that the line names by its digest";
            break;
    }
    if (policy.level != remote::TlsLevel::none) {
        text += policy.only_13 ? "; TLS 1.3" : "; at least TLS 1.2";
        if (policy.implicit) text += ", from the first octet";
    }
    if (!policy.line.empty() && !(route.credentials && !policy.named))
        return text + " (the line " + policy.line + ")";
    return text + (route.credentials ? " (as always with a password)" : " (default)");
}

std::string login_words(const remote::Route& route, const remote::TlsPolicy& policy) {
    if (!route.credentials) return "none";
    std::string text = "as " + route.credentials->user + ", with the password in " + route.file() +
                       "; nothing is sent without it";
    if (policy.usable && !policy.required())
        text += policy.cleartext_password ? "; the password itself may be shown without TLS"
                                          : "; without TLS only SCRAM-SHA-256 or CRAM-MD5";
    return text;
}

std::string source_words(const remote::Source& source, const std::string& helo_host) {
    if (!source.usable) return source.line + " cannot be used: " + source.complaint;
    std::string text = source.v4 + (source.v4.empty() || source.v6.empty() ? "" : ", ") + source.v6;
    if (text.empty()) text = "the address that the system chooses";
    text += ", HELO " + (source.helo.empty() ? helo_host : source.helo);
    return source.line.empty() ? text : text + " (" + source.line + ")";
}

// What holds for the connection: TLS, login, our own address. Where it is wrong, mail waits.
void show_connection(const Surroundings& around, const std::string& sender, RouteReport& report) {
    RemoteEnd& end = *report.remote;
    const std::string server = !end.route.host.empty() ? end.route.host
                               : end.servers.empty()   ? "the MX"
                                                       : end.servers.front().name;
    const remote::TlsPolicy policy = remote::tls_policy_of(around.settings, end.route, end.domain, server);
    end.tls = policy;
    end.source = around.settings.sources.choose(sender, end.domain);
    end.helo = end.source.helo.empty() ? around.settings.helo_host : end.source.helo;
    report.step("TLS", tls_words(policy, end.route, server));
    report.step("login", login_words(end.route, policy));
    report.step("from", source_words(end.source, around.settings.helo_host));
    const auto waits = [&](const char* code, const std::string& text, const char* remedy) {
        report.fate = Fate::waits;
        report.answer = "waits in the queue: " + text;
        report.find(Weight::problem, code, text, remedy);
    };
    if (!policy.usable)
        waits("bad_tlsdestination",
              "control/tlsdestinations cannot be used: " + policy.line + ": " + policy.complaint,
              "correct the line (qmail-remote(8))");
    if (!end.source.usable)
        waits("bad_source", end.source.line + " cannot be used: " + end.source.complaint,
              "correct the line (qmail-remote(8))");
    if (end.route.credentials && policy.usable && !policy.authenticates_server())
        report.find(Weight::warning, "password_to_anybody",
                    "the line " + policy.line + " lets this route log in to a server that nobody verifies",
                    "verify, with ca=FILE where the certificate is of an authority of its own");
}

std::string route_words(const remote::Route& route, const std::string& domain) {
    if (route.line.empty()) return "no line for " + domain + ": by MX";
    return "the line " + route.line + (route.host.empty() && route.usable ? " (by MX, on that port)" : "");
}

}  // namespace

void explain_remote(const Surroundings& around, const std::string& sender, const std::string& domain,
                    Dns* dns, RouteReport& report) {
    report.remote.emplace();
    RemoteEnd& end = *report.remote;
    end.domain = domain.ends_with('.') ? domain.substr(0, domain.size() - 1) : domain;
    end.route = remote::route_of(around.settings, sender, end.domain);
    report.step(end.route.of_sender ? "authsenders" : "smtproutes", route_words(end.route, end.domain));
    if (dns == nullptr) {
        report.fate = Fate::remote;
        report.answer = end.route.host.empty() ? "goes to the MX of " + end.domain + " (DNS was not asked)"
                                               : "goes to " + end.route.host + " by " + end.route.file();
        if (end.route.usable) show_connection(around, sender, report);
        return;
    }
    const Search search(around, end.domain, *dns, end);
    show_hosts(end, report);
    if (search.found()) {
        settle_remote(around, search, report);
        show_connection(around, sender, report);
    } else {
        refuse(around, end, search, *dns, report);
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
