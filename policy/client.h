// Who is at the other end, as tcpserver (or our listener, in the same words) says in the environment, and
// what the rules for that address set.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace relais::policy {

struct Client {
    std::string ip;                     // TCPREMOTEIP; "unknown" if nobody told
    std::optional<std::string> host;    // TCPREMOTEHOST
    std::optional<std::string> port{};  // TCPREMOTEPORT
    std::optional<std::string> info;    // TCPREMOTEINFO
    std::string local_ip;               // TCPLOCALIP
    std::string local_name;             // TCPLOCALHOST, else TCPLOCALIP, else "unknown"

    std::optional<std::string> relayclient;       // RELAYCLIENT: may relay; appended to each recipient
    std::optional<std::uint64_t> databytes;       // DATABYTES: instead of control/databytes
    std::optional<std::uint64_t> tarpit_count{};  // TARPITCOUNT: instead of control/tarpitcount
    std::optional<std::uint64_t> tarpit_delay{};  // TARPITDELAY: seconds, instead of control/tarpitdelay
    std::optional<std::uint64_t> greet_delay{};   // GREETDELAY: seconds, instead of control/greetdelay
    std::optional<std::string> rblsmtpd{};  // RBLSMTPD: why strangers are refused; empty: no list is asked
    bool submission = false;                // SUBMISSION: for our users alone
    std::optional<std::string>
        certificate{};                   // subject of the client's certificate, listed in control/tlsclients
    std::optional<std::string> user;     // who has authenticated, by the protocol or by whom we stand in for
    std::vector<std::string> may_use{};  // FROMDOMAINS: domains, with an @ before each (mail::Submitter)
    bool fixcrio = false;                // FIXCRIO: bare LF and bare CR are line ends
    bool refuse_nul = false;             // REFUSENUL: messages with NUL are refused

    // Reads TCP* (TCP6* where those are missing, as some IPv6 builds of tcpserver have it) and the rules'
    // variables.
    static Client from_environment();
    // The same from any source of variables: nothing for one that is not set.
    using Variables = std::function<std::optional<std::string>(const std::string& name)>;
    static Client from(const Variables& variable);
};

}  // namespace relais::policy
