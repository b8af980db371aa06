#include "tlsrpt/words.h"

#include <fmt/core.h>

#include <array>
#include <utility>

#include "base/json.h"
#include "base/printable.h"

namespace relais::tlsrpt {
namespace {

// RFC 8460, 4.3.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> meanings = {{
    {"starttls-not-supported",
     "The server did not offer STARTTLS. See that qmail-smtpd has a certificate: qmailctl doctor."},
    {"certificate-host-mismatch",
     "The certificate does not name the server. Let the certificate have the name of the MX record."},
    {"certificate-expired", "The certificate had ended. Renew it, and see why that did not happen."},
    {"certificate-not-trusted",
     "No authority that the sender trusts has signed the certificate. Put the whole chain into "
     "control/servercert.pem."},
    {"validation-failure", "TLS failed for a reason that has no name of its own. Look at the reason code."},
    {"tlsa-invalid", "A TLSA record does not fit the certificate. Publish the new one before its use."},
    {"dnssec-invalid", "DNSSEC of the zone is broken. Mend its signatures or the DS record."},
    {"dane-required", "The sender wants DANE, and there is no TLSA record that it could use."},
    {"sts-policy-fetch-error",
     "The policy (MTA-STS) could not be fetched. See that the web server mta-sts.DOMAIN answers."},
    {"sts-policy-invalid", "The policy (MTA-STS) has a mistake. Let mta-sts check look at it."},
    {"sts-webpki-invalid", "The web server of the policy (MTA-STS) has a certificate that is not valid."},
}};

std::string shown(const std::string& text) {
    return text.empty() ? "?" : printable(text);
}

std::string detail_line(const Failure& failure) {
    std::string line = fmt::format("    {}: {} sessions", shown(failure.result), failure.sessions);
    if (!failure.sending_ip.empty()) line += ", from " + printable(failure.sending_ip);
    if (!failure.server.empty()) line += ", to " + printable(failure.server);
    if (!failure.server_ip.empty()) line += " [" + printable(failure.server_ip) + "]";
    if (!failure.reason.empty()) line += ", reason " + printable(failure.reason);
    if (!failure.information.empty()) line += ", more: " + printable(failure.information);
    line += "\n";
    if (const std::string_view meaning = meaning_of(failure.result); !meaning.empty())
        line += fmt::format("        {}\n", meaning);
    return line;
}

Json detail_json(const Failure& failure) {
    return {{"result", failure.result}, {"sessions", failure.sessions},      {"from", failure.sending_ip},
            {"server", failure.server}, {"server_ip", failure.server_ip},    {"helo", failure.helo},
            {"reason", failure.reason}, {"information", failure.information}};
}

Json policy_json(const PolicyResult& policy) {
    Json object{{"type", policy.type},
                {"domain", policy.domain},
                {"servers", policy.servers},
                {"successes", policy.successes},
                {"failures", policy.failures}};
    object["details"] = Json::array();
    for (const Failure& failure : policy.details) object["details"].push_back(detail_json(failure));
    return object;
}

}  // namespace

std::string_view meaning_of(std::string_view result) {
    for (const auto& [name, meaning] : meanings)
        if (name == result) return meaning;
    return "";
}

std::string text_of(const std::vector<Report>& reports) {
    std::string text;
    for (const Report& report : reports) {
        text += fmt::format("{} ({}), {} to {}, {}: {} sessions encrypted, {} failed\n",
                            shown(report.organization), shown(report.contact), shown(report.begin),
                            shown(report.end), shown(report.id), report.successes(), report.failures());
        for (const PolicyResult& policy : report.policies) {
            text += fmt::format("  {} ({}): {} encrypted, {} failed\n", shown(policy.domain),
                                shown(policy.type), policy.successes, policy.failures);
            for (const Failure& failure : policy.details) text += detail_line(failure);
        }
    }
    return text;
}

std::string json_of(const std::vector<Report>& reports) {
    Json all = Json::array();
    for (const Report& report : reports) {
        Json one{{"organization", report.organization},
                 {"contact", report.contact},
                 {"id", report.id},
                 {"begin", report.begin},
                 {"end", report.end},
                 {"successes", report.successes()},
                 {"failures", report.failures()}};
        one["policies"] = Json::array();
        for (const PolicyResult& policy : report.policies) one["policies"].push_back(policy_json(policy));
        all.push_back(std::move(one));
    }
    Json object;
    object["reports"] = std::move(all);
    return object.lines() + "\n";
}

}  // namespace relais::tlsrpt
