#include "explain/connection_words.h"

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

}  // namespace

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

}  // namespace relais::explain
