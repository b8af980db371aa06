// What became of a message at the other side, in qmail-remote's words (docs: qmail-remote.8).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/connect.h"
#include "send/delivery_protocol.h"

namespace relais::remote {

// The verdict over the message: qmail-remote's last report.
enum class Letter : char { accepted = 'K', temporary = 'Z', permanent = 'D' };

struct Verdict {
    Letter letter = Letter::temporary;
    std::string text;          // lines, each with its LF
    std::string diagnostic{};  // the server's reply, where that is the verdict: a line
};

struct Result {
    // One for each recipient the server was asked about and answered, in order; texts are lines, each with
    // its LF.
    std::vector<send::RecipientReport> recipients;
    Verdict message;
    std::string mx_group;
    bool connection_failed = false;  // no server could be reached
    // The server that the message was offered to.
    std::string server{};
    std::string server_ip{};
    std::string tls{};
    bool dsn = false;
    bool deliver_by = false;
};

// Sorry, I wasn't able to establish an SMTP connection. (#4.4.1): then to whom, and why not. resting: those
// that were not tried, for they let us wait a short time ago.
Verdict no_connection(const std::vector<net::ConnectFailure>& failures,
                      const std::vector<net::Endpoint>& resting);
// control/lmtproutes names a socket where nobody listens, or that qmailr may not use (#4.4.1).
Verdict no_lmtp_server(std::string_view path, int error_number);
// QMTP has no TLS, and TLS is required: by the message itself (#5.7.10), or by control/tlsdestinations
// (#4.7.10).
Verdict no_tls_in_qmtp(std::string_view server, bool by_message);
Verdict dns_failed();                         // CNAME lookup failed temporarily. (#4.4.3)
Verdict no_such_host(std::string_view host);  // (#5.1.2)
Verdict no_exchanger();                       // neither MX nor address (#5.4.4)
// Best-preference MX is me (#5.4.6). loopback: its address if that is every host's own, else empty.
Verdict loops_back(std::string_view loopback);
Verdict takes_no_mail(std::string_view host);  // null MX (#5.1.10)
// (#5.4.4). address: one of those that are not used.
Verdict private_exchanger(std::string_view host, std::string_view address);
Verdict wrong_family(std::string_view host);  // control/ipversions leaves it no address (#4.4.4)
Verdict no_local_address(
    std::string_view address);  // outgoingip or domainips names what is not ours (#4.4.1)
// The login was refused a while ago, and is left alone for another (#4.7.8). file: that has the password.
Verdict login_rests(std::string_view host, std::string_view file, std::int64_t seconds_ago,
                    std::int64_t seconds_left);
Verdict cannot_read_message();
Verdict cannot_sign(std::string_view why);  // (#4.3.0)
Verdict cannot_read_control(std::string_view detail);
Verdict system_failure(std::string_view detail);

// The octets on standard output.
std::string classic_output(const Result& result);

// For qmail-send: the verdict over each recipient of the order with the text that belongs to it.
send::Report to_report(const Result& result, std::size_t recipients);

}  // namespace relais::remote
