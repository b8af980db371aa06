// What the control files say about the dialogue, and with policy/settings.h about the checks, read once for a
// connection. What the files of the checks list is in policy/policy.h.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/home.h"
#include "control/setting.h"
#include "control/watched.h"
#include "listen/reuse.h"
#include "opensmtp/address.h"
#include "policy/client.h"
#include "policy/settings.h"
#include "sasl/mechanism.h"

namespace relais::smtpd {

struct Settings : policy::Settings {
    std::string greeting;  // smtpgreeting
    std::chrono::seconds timeout = control::default_of<"timeoutsmtpd">();
    std::uint64_t databytes = control::default_of<"databytes">();  // 0: no limit
    std::uint64_t recipient_limit = control::default_of<"maxrcpt">();
    std::uint64_t refused_limit = control::default_of<"refusedlimit">();  // in a row; 0: no limit
    std::chrono::seconds refused_pause = control::default_of<"refusedpause">();
    std::chrono::seconds greet_delay = control::default_of<"greetdelay">();
    std::uint64_t tarpit_count = control::default_of<"tarpitcount">();  // of a connection; 0: no pause
    std::chrono::seconds tarpit_delay = control::default_of<"tarpitdelay">();
    bool refuse_nul = control::default_of<"refusenul">();
    bool chunking = control::default_of<"chunking">();
    bool limits = control::default_of<"smtplimits">();
    bool smtputf8 = control::default_of<"smtputf8">();
    std::chrono::seconds future_release = control::default_of<"futurerelease">();  // 0: not offered
    bool deliver_by = control::default_of<"deliverby">();
    bool mt_priority = control::default_of<"mtpriority">();
    control::DomainSet etrn{};  // for which it may be asked
    bool requiretls = control::default_of<"requiretls">() > 0;
    bool enhanced_codes = control::default_of<"enhancedcodes">();
    bool auth_plain = control::default_of<"authplain">();
    bool submission_auth = control::default_of<"submissionauth">();
    bool submission_tls = control::default_of<"submissiontls">();
    bool received_auth = control::default_of<"receivedauth">();
    std::string per_ip;  // perip: of one neighbourhood, or a part of all
    // Between commands, when places are scarce.
    std::chrono::seconds stress_timeout = control::default_of<"stresstimeout">();
    bool log_json = false;    // logformat
    bool keep_trace = false;  // keeptrace
    bool milters = false;     // control/milters names one
    bool refusal_id = control::default_of<"refusalid">();
    bool hide_addresses = control::default_of<"proctitle">();
    listen::Reuse reuse = listen::Reuse::same;  // sessionreuse
    // authmechanisms, in the order in which they are offered
    std::vector<sasl::Mechanism> mechanisms = default_mechanisms();
    // dsnfrom: who may ask for reports on deliveries beside our own users; without a line nobody may
    std::optional<opensmtp::NetworkSet> dsn_from{};
    opensmtp::NetworkSet proxies{};           // proxyhosts
    opensmtp::NetworkSet front_ends{};        // xclient
    opensmtp::NetworkSet login_front_ends{};  // ... those that may name logins

    // Throws Error when a file cannot be read or control/me is missing.
    static Settings read(const control::Home& home);

    static std::vector<sasl::Mechanism> default_mechanisms();

    // How long a client may be silent between commands.
    std::chrono::seconds patience(bool in_a_crowd) const {
        return in_a_crowd && stress_timeout.count() > 0 ? std::min(timeout, stress_timeout) : timeout;
    }

    // Before each recipient that is more than tarpitcount.
    std::chrono::seconds tarpit_pause(const policy::Client& client) const {
        const auto most = static_cast<std::uint64_t>(control::row<"tarpitdelay">.most);
        return client.tarpit_delay ? std::chrono::seconds(std::min(*client.tarpit_delay, most))
                                   : tarpit_delay;
    }

    // Before the greeting. A client that may relay by a rule is not kept waiting, nor is anybody where early
    // talkers are not asked for.
    std::chrono::seconds wait_before_greeting(const policy::Client& client) const;

    // What a client hears first, without its CRLF (RFC 5321, 4.2).
    std::string opening() const { return "220 " + greeting + " ESMTP"; }
};

// The settings, read again when one of their files has changed: for the listener.
using WatchedSettings = control::Watched<Settings>;

}  // namespace relais::smtpd
