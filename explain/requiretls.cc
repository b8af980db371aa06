#include "explain/requiretls.h"

#include <algorithm>

#include "base/idna.h"
#include "base/time.h"
#include "remote/requiretls.h"

namespace relais::explain {
namespace {

bool is_named(const RemoteEnd& end, const remote::Server& server) {
    return end.chosen_securely || (end.tls && remote::names_the_server(*end.tls)) ||
           comparable(server.name) == comparable(end.domain) ||
           (end.domain_policy && remote::vouches_for(*end.domain_policy, server.name));
}

std::string names_of(const RemoteEnd& end) {
    std::string names;
    for (const remote::Server& server : end.servers) names += (names.empty() ? "" : ", ") + server.name;
    return names;
}

// What is known of an offer was said in TLS only where the server was encrypted then.
bool is_told(const Offer& offer) {
    return offer.source == Offer::Source::remembered && offer.known &&
           (offer.extensions.requiretls ||
            (offer.known->encrypted > 0 && offer.known->encrypted >= offer.seen));
}

}  // namespace

std::vector<Finding> judge_requiretls(const RemoteEnd& end, const std::string& authorities) {
    if (end.route.protocol == remote::Protocol::qmtp)
        return {{Weight::problem, "requiretls_qmtp",
                 "the message has REQUIRETLS, and QMTP has no TLS: it bounces (5.7.10)",
                 "send the mail of " + end.domain + " by SMTP: control/smtproutes in place of qmtproutes"}};
    if (end.route.protocol == remote::Protocol::lmtp)
        return {{Weight::note, "requiretls_stored", "a server of LMTP stores it: REQUIRETLS ends there", ""}};
    const auto named = std::find_if(end.servers.begin(), end.servers.end(),
                                    [&](const remote::Server& server) { return is_named(end, server); });
    if (named == end.servers.end())
        return {{Weight::problem, "requiretls_unvouched",
                 "the message has REQUIRETLS, and neither DNSSEC nor a policy (MTA-STS) says that " +
                     names_of(end) + " takes mail for " + end.domain + ": it bounces (5.7.10)",
                 "control/dnsanchors and control/mtasts here, DNSSEC or MTA-STS there"}};
    const remote::TlsPolicy policy =
        remote::with_requiretls(end.tls.value_or(remote::TlsPolicy{}), named->name, authorities);
    std::vector<Finding> findings{{Weight::note, "requiretls",
                                   "REQUIRETLS: " + named->name + " must be verified (" +
                                       std::string(remote::name_of(policy.level)) +
                                       ") and offer REQUIRETLS in TLS, else it bounces (5.7.10, 5.7.30)",
                                   ""}};
    const auto at = static_cast<std::size_t>(named - end.servers.begin());
    if (at >= end.offers.size() || !is_told(end.offers[at])) {
        findings.push_back(
            {Weight::note, "requiretls_unknown",
             "whether " + named->name +
                 " offers REQUIRETLS is not known: it is said in TLS alone, and --probe asks in "
                 "the clear",
             ""});
    } else if (!end.offers[at].extensions.requiretls) {
        findings.push_back({Weight::problem, "no_requiretls",
                            named->name + " did not offer REQUIRETLS when it was last spoken to, " +
                                date_gmt(end.offers[at].seen) + ": it bounces (5.7.30)",
                            "a message without REQUIRETLS, or its server's administrator"});
    }
    return findings;
}

}  // namespace relais::explain
