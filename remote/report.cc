#include "remote/report.h"

#include <algorithm>

#include "base/error.h"
#include "mail/enhanced_status.h"

namespace relais::remote {
namespace {

// Addresses that one report names.
constexpr std::size_t told_limit = 10;

// NUL ends a report; the rest of what a server says is shown as it is.
std::string without_nul(std::string text) {
    std::replace(text.begin(), text.end(), '\0', '?');
    return text;
}

std::string with_detail(std::string text, std::string_view detail) {
    if (!detail.empty()) text.append(detail).append("\n");
    return text;
}

std::string minutes(std::int64_t seconds) {
    const std::int64_t count = std::max<std::int64_t>((seconds + 59) / 60, 1);
    return std::to_string(count) + (count == 1 ? " minute" : " minutes");
}

send::Outcome outcome_of(Letter letter) {
    switch (letter) {
        case Letter::accepted:
            return send::Outcome::success;
        case Letter::permanent:
            return send::Outcome::permanent;
        default:
            return send::Outcome::temporary;
    }
}

}  // namespace

Verdict no_connection(const std::vector<net::ConnectFailure>& failures,
                      const std::vector<net::Endpoint>& resting) {
    std::string text = "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n";
    std::size_t told = 0;
    const auto tell = [&](const net::Endpoint& whom, const std::string& why) {
        if (++told > told_limit) return;
        text += whom.text() + ": " + why + "\n";
    };
    for (const net::ConnectFailure& failure : failures)
        tell(failure.endpoint, errno_text(failure.error_number));
    for (const net::Endpoint& endpoint : resting)
        tell(endpoint, "not tried again yet, for it let us wait a short time ago");
    if (told > told_limit) text += "and " + std::to_string(told - told_limit) + " more addresses\n";
    return {Letter::temporary, std::move(text)};
}
Verdict no_tls_in_qmtp(std::string_view server, bool by_message) {
    const std::string text = "Sorry, control/qmtproutes sends it to " + std::string(server) +
                             " by QMTP, which has no TLS, and TLS is required";
    if (by_message) return {Letter::permanent, text + " by the message (REQUIRETLS). (#5.7.10)\n"};
    return {Letter::temporary, text + " by control/tlsdestinations. (#4.7.10)\n"};
}

Verdict dns_failed() {
    return {Letter::temporary, "CNAME lookup failed temporarily. (#4.4.3)\n"};
}
Verdict no_such_host(std::string_view host) {
    return {Letter::permanent, "Sorry, I couldn't find any host named " + std::string(host) + ". (#5.1.2)\n"};
}
Verdict no_exchanger() {
    return {Letter::permanent, "Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)\n"};
}
Verdict loops_back(std::string_view loopback) {
    std::string text =
        "Sorry. Although I'm listed as a best-preference MX or A for that host,\n"
        "it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)\n";
    if (!loopback.empty()) text += "Its address is a loopback address: " + std::string(loopback) + "\n";
    return {Letter::permanent, std::move(text)};
}
Verdict no_lmtp_server(std::string_view path, int error_number) {
    const bool closed = error_number == EACCES || error_number == EPERM;
    return {Letter::temporary, "Sorry, I wasn't able to establish an LMTP connection. (#4.4.1)\n" +
                                   std::string(path) + ": " + errno_text(error_number) +
                                   (closed ? ": the user qmailr must be allowed to write to it" : "") + "\n"};
}
Verdict takes_no_mail(std::string_view host) {
    return {Letter::permanent,
            "Sorry, " + std::string(host) + " does not accept mail: it has a null MX. (#5.1.10)\n"};
}
Verdict private_exchanger(std::string_view host, std::string_view address) {
    return {Letter::permanent, "Sorry, every mail exchanger of " + std::string(host) +
                                   " has a private or link-local address: " + std::string(address) +
                                   " (#5.4.4)\n"};
}
Verdict wrong_family(std::string_view host) {
    return {Letter::temporary,
            "Sorry, " + std::string(host) +
                " has only addresses of the family that control/ipversions turns off. (#4.4.4)\n"};
}
Verdict no_local_address(std::string_view address) {
    return {Letter::temporary, "Sorry, I cannot connect from " + std::string(address) +
                                   ", which control/outgoingip or control/domainips names. (#4.4.1)\n"};
}
Verdict login_rests(std::string_view host, std::string_view file, std::int64_t seconds_ago,
                    std::int64_t seconds_left) {
    return {Letter::temporary,
            "Sorry, " + std::string(host) + " refused our login " + minutes(seconds_ago) +
                " ago, and this route sends nothing without a login. It is not asked again for " +
                minutes(seconds_left) + ", unless " + std::string(file) + " changes. (#4.7.8)\n"};
}
Verdict cannot_read_message() {
    return {Letter::temporary, "Unable to read message. (#4.3.0)\n"};
}
Verdict cannot_sign(std::string_view why) {
    return {Letter::temporary,
            "Sorry, this message could not be signed: " + std::string(why) + ". (#4.3.0)\n"};
}

Verdict cannot_read_control(std::string_view detail) {
    return {Letter::temporary, with_detail("Unable to read control files. (#4.3.0)\n", detail)};
}
Verdict system_failure(std::string_view detail) {
    return {Letter::temporary, with_detail("System resources temporarily unavailable. (#4.3.0)\n", detail)};
}

std::string classic_output(const Result& result) {
    std::string out;
    for (const send::RecipientReport& report : result.recipients) {
        out += static_cast<char>(report.outcome);
        out.append(without_nul(report.text)) += '\0';
    }
    out += static_cast<char>(result.message.letter);
    return out.append(without_nul(result.message.text)) += '\0';
}

send::Report to_report(const Result& result, std::size_t recipients) {
    send::Report report;
    report.mx_group = result.mx_group;
    report.connection_failed = result.connection_failed;
    report.server = result.server;
    report.server_ip = result.server_ip;
    report.tls = result.tls;
    report.dsn = result.dsn;
    report.deliver_by = result.deliver_by;
    for (std::size_t i = 0; i < recipients; ++i) {
        send::RecipientReport one{outcome_of(result.message.letter), result.message.text, "",
                                  result.message.diagnostic};
        if (i < result.recipients.size() && result.recipients[i].outcome != send::Outcome::success) {
            one.outcome = result.recipients[i].outcome;
            one.diagnostic = result.recipients[i].diagnostic;
            // What became of the others' message is not this recipient's business.
            one.text = result.recipients[i].text +
                       (result.message.letter == Letter::accepted ? "" : result.message.text);
        }
        one.text = without_nul(std::move(one.text));
        one.status = mail::enhanced_status(send::status_class(one.outcome), one.diagnostic, one.text);
        if (one.text.ends_with('\n')) one.text.pop_back();
        report.recipients.push_back(std::move(one));
    }
    return report;
}

}  // namespace relais::remote
