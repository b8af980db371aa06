#include "explain/connection_words.h"

#include "base/time.h"
#include "remote/domain_policy.h"
#include "tls/client_context.h"

namespace relais::explain {
namespace {

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
            text +=
                policy.ca_file.empty() ? " by an authority that the system trusts (" : " by an authority of ";
            text += policy.ca_file.empty() ? tls::system_authorities : policy.ca_file.c_str();
            if (policy.ca_file.empty()) text += ")";
            break;
        case remote::TlsLevel::fingerprint:
            text += ": required, with a certificate or key that the line names by its digest";
            break;
        case remote::TlsLevel::dane:
            text += ": required, with a certificate that a TLSA record of " + policy.tlsa_name + " names";
            break;
    }
    if (policy.level != remote::TlsLevel::none) {
        text += policy.only_13 ? "; TLS 1.3" : "; at least TLS 1.2";
        if (policy.implicit) text += ", from the first octet";
    }
    if (!policy.tlsa_name.empty()) return text + " (DANE)";
    if (!policy.policy_of.empty()) return text + " (MTA-STS)";
    if (!policy.line.empty() && !(route.credentials && !policy.named))
        return text + " (the line " + policy.line + ")";
    return text + (route.credentials ? " (as always with a password)" : " (default)");
}

constexpr std::size_t digits_shown = 16;

std::string record_words(const tls::Tlsa& record) {
    const std::string text = tls::text_of(record);
    const std::size_t shown = text.rfind(' ') + 1 + digits_shown;
    return text.size() > shown ? text.substr(0, shown) + "..." : text;
}

std::string dane_words(const remote::Dane& found) {
    using State = remote::Dane::State;
    std::string text = found.name + ": ";
    switch (found.state) {
        case State::unvalidated:
            return text + "DNSSEC does not vouch for the way to it: TLSA records do not count";
        case State::none:
            return text + "no TLSA record that DNSSEC vouches for";
        case State::unusable:
            return text + "no TLSA record that can be used: TLS is required, whoever the server is";
        case State::unknown:
            return text + (found.forged ? "DNSSEC says that the answer is forged" : "DNS does not answer");
        case State::usable:
            break;
    }
    for (const tls::Tlsa& record : found.records)
        text += (&record == found.records.data() ? "" : ", ") + record_words(record);
    if (found.ignored > 0) text += ", and " + std::to_string(found.ignored) + " that cannot be used";
    return text;
}

// Of each server that has nothing to say of its own by a line; and what is wrong.
void show_dane(const RemoteEnd& end, RouteReport& report) {
    for (const remote::Dane& found : end.dane) {
        if (found.name.empty()) continue;
        report.step("DANE", dane_words(found));
        if (found.state == remote::Dane::State::unknown)
            report.find(Weight::warning, "dane_unknown",
                        "whether there are TLSA records at " + found.name +
                            " cannot be found out now: nothing is sent to that server",
                        "its DNS is to be mended; a line of control/tlsdestinations goes before DANE");
    }
}

std::string domain_policy_words(const sts::Found& found, const std::string& domain) {
    if (found.state == sts::Found::State::unknown) return "qmail-stsd does not answer";
    if (found.state == sts::Found::State::none) return "none: " + found.reason;
    std::string text = "the policy of " + domain + ", " + std::string(sts::name_of(found.policy.mode)) +
                       ", until " + date_gmt(found.ends) + ": ";
    for (const std::string& pattern : found.policy.mx)
        text += (&pattern == found.policy.mx.data() ? "" : ", ") + pattern;
    return text;
}

// What the domain asks for, where DANE does not.
void show_domain_policy(const Surroundings& around, const RemoteEnd& end, remote::TlsPolicy& policy,
                        RouteReport& report) {
    const sts::Found& found = *end.domain_policy;
    report.step("MTA-STS", domain_policy_words(found, end.domain));
    if (found.state == sts::Found::State::unknown)
        report.find(
            Weight::problem, "domain_policy_unknown",
            "whether " + end.domain + " has a policy (MTA-STS) cannot be found out: mail for it waits",
            "qmailctl start; qmailctl doctor");
    if (!policy.tlsa_name.empty() || !remote::is_enforced(found)) return;
    for (const remote::Server& server : end.servers) {
        if (!sts::admits(found.policy, server.name)) continue;
        policy =
            remote::with_domain_policy(policy, end.domain, server.name, around.settings.mtasts_authorities);
        return;
    }
    report.find(Weight::problem, "not_admitted",
                "the policy of " + end.domain + " (MTA-STS) names none of its servers: mail for it waits",
                "its administrator must correct the policy or the MX records; a line of "
                "control/tlsdestinations goes before it");
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

}  // namespace

void show_connection(const Surroundings& around, const std::string& sender, RouteReport& report) {
    RemoteEnd& end = *report.remote;
    const std::string server = !end.route.host.empty() ? end.route.host
                               : end.servers.empty()   ? "the MX"
                                                       : end.servers.front().name;
    remote::TlsPolicy policy = remote::tls_policy_of(around.settings, end.route, end.domain, server);
    if (remote::leaves_to_dns(policy)) {
        if (!end.dane.empty()) policy = remote::with_dane(policy, end.dane.front());
        show_dane(end, report);
        if (end.domain_policy) show_domain_policy(around, end, policy, report);
    }
    end.tls = policy;
    end.source = around.settings.sources.choose(sender, end.domain);
    end.helo = end.source.helo.empty() ? around.settings.helo_host : end.source.helo;
    const bool qmtp = end.route.protocol == remote::Protocol::qmtp;
    report.step("TLS", qmtp ? "none: QMTP has none" : tls_words(policy, end.route, server));
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
    if (qmtp && policy.required())
        waits("qmtp_in_clear",
              "control/tlsdestinations asks for TLS with " + server + ", and QMTP has none: " + policy.line,
              "send that mail by SMTP, by control/smtproutes, or take the line away");
    if (!end.source.usable)
        waits("bad_source", end.source.line + " cannot be used: " + end.source.complaint,
              "correct the line (qmail-remote(8))");
    if (end.route.credentials && policy.usable && !policy.authenticates_server())
        report.find(Weight::warning, "password_to_anybody",
                    "the line " + policy.line + " lets this route log in to a server that nobody verifies",
                    "verify, with ca=FILE where the certificate is of an authority of its own");
}

}  // namespace relais::explain
