#include "explain/no_server.h"

#include <algorithm>

#include "base/text.h"

namespace relais::explain {
namespace {

using remote::NoServer;

struct Words {
    std::string answer;
    std::string code;
    std::string text;  // empty: as qmail-remote reports it
    std::string remedy;
};

Words of_route(const RemoteEnd& end) {
    return {std::string("the server named in ") + end.route.file() + " has no address", "smtproute_unknown",
            "", "correct the line, or the DNS record of " + end.route.host};
}

Words of_no_usable_server(const RemoteEnd& end) {
    return {"no usable server takes mail for " + end.domain,
            end.search.no_exchanger ? "no_mx" : "no_usable_server", "",
            "its administrator must correct the MX records"};
}

Words of_silent_dns(const Surroundings& around, const RemoteEnd& end) {
    if (!end.route.host.empty())
        return {
            std::string("DNS does not answer for the server named in ") + end.route.file(), "dns_failed", "",
            "look at control/dnsservers or /etc/resolv.conf, and at the name servers of " + end.route.host};
    if (!end.search.asked_mx || !unanswered(end.search.mx_status)) return of_no_usable_server(end);
    return {"DNS does not answer for " + end.domain, "dns_failed",
            end.search.mx_status == net::DnsStatus::bogus
                ? "DNSSEC says that the answer for " + end.domain + " is forged"
                : "no answer, or a failure of its name servers, within " +
                      std::to_string(around.settings.timeout_dns.count() - 5) + " s",
            "look at the name servers of " + end.domain + ", and at control/dnsservers or /etc/resolv.conf"};
}

Words of_this_host(const Surroundings& around, const RemoteEnd& end) {
    return {"DNS says that this very server takes mail for " + end.domain + ", and its control files do not",
            "mx_is_me", "",
            "if its mail belongs here, put " + end.domain +
                " into control/locals (or control/virtualdomains)" +
                (around.rcpthosts.empty() ? " and control/rcpthosts" : "") +
                ", then qmailctl reload; if not, correct its MX record"};
}

Words words_of(NoServer reason, const Surroundings& around, const RemoteEnd& end) {
    const bool routed = !end.route.host.empty();
    switch (reason) {
        case NoServer::unusable_route:
            return {std::string("its line in ") + end.route.file() + " cannot be used", "bad_smtproute", "",
                    "write it as domain:host or domain:host:port"};
        case NoServer::route_unknown:
            return of_route(end);
        case NoServer::no_such_domain:
            return {"there is no domain " + end.domain, "no_such_domain", "",
                    "look for a typing error in the address"};
        case NoServer::null_mx:
            return {end.domain + " has a null MX: it takes no mail at all", "null_mx", "",
                    "another address; nothing sent there can arrive"};
        case NoServer::dns_failed:
            return of_silent_dns(around, end);
        case NoServer::is_me:
            return of_this_host(around, end);
        case NoServer::no_exchanger:
        case NoServer::private_exchanger:
        case NoServer::wrong_family:
            break;
    }
    return routed ? of_route(end) : of_no_usable_server(end);
}

std::string one_line(std::string_view text) {
    std::string line(trim(text));
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
}

}  // namespace

void explain_no_server(const Surroundings& around, const Search& search, Dns& dns, RouteReport& report) {
    const RemoteEnd& end = *report.remote;
    const remote::Verdict verdict = search.refusal();
    const bool for_good = verdict.letter == remote::Letter::permanent;
    report.fate = for_good ? Fate::bounces : Fate::waits;
    // It is, even where a better server whose address DNS does not tell now makes the message wait.
    const NoServer reason = search.is_me() ? NoServer::is_me : search.none().reason;
    Words words = words_of(reason, around, end);
    if (const auto trouble = dns.trouble(); !trouble.empty() && reason != NoServer::unusable_route)
        words = {"DNS cannot be asked", "no_resolver", trouble, "start the instance, or run this as root"};
    report.answer = (for_good ? "bounces: " : "waits in the queue: ") + words.answer;
    report.find(Weight::problem, words.code, words.text.empty() ? one_line(verdict.text) : words.text,
                words.remedy);
}

}  // namespace relais::explain
