// What the control files say about the dialogue, and with policy/settings.h about the checks, read once for a
// connection. What the files of the checks list is in policy/policy.h.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "control/control_file.h"
#include "control/home.h"
#include "listen/reuse.h"
#include "policy/settings.h"
#include "sasl/mechanism.h"

namespace relais::smtpd {

struct Settings : policy::Settings {
    std::string greeting;                  // smtpgreeting
    std::chrono::seconds timeout{1200};    // timeoutsmtpd
    std::uint64_t databytes = 0;           // 0: no limit
    std::uint64_t recipient_limit = 1000;  // maxrcpt
    std::uint64_t refused_limit = 0;       // refusedlimit: refused recipients in a row; 0: no limit
    std::chrono::seconds refused_pause{};  // refusedpause: before each further refusal
    bool refuse_nul = false;               // refusenul
    bool auth_plain = false;               // authplain: passwords in clear from everywhere
    bool submission_auth = true;           // submissionauth: on a submission listener nothing without a login
    bool submission_tls = true;            // submissiontls: nor a login without TLS, but from loopback
    bool received_auth = false;            // receivedauth: the trace field names the login
    std::string per_ip;                    // perip: of one neighbourhood, or a part of all
    std::chrono::seconds stress_timeout{0};     // stresstimeout: between commands, when places are scarce
    listen::Reuse reuse = listen::Reuse::same;  // sessionreuse
    // authmechanisms, in the order in which they are offered
    std::vector<sasl::Mechanism> mechanisms = default_mechanisms();

    // Throws Error when a file cannot be read or control/me is missing.
    static Settings read(const control::Home& home);

    static std::vector<sasl::Mechanism> default_mechanisms();

    // How long a client may be silent between commands.
    std::chrono::seconds patience(bool in_a_crowd) const {
        return in_a_crowd && stress_timeout.count() > 0 ? std::min(timeout, stress_timeout) : timeout;
    }

    // What a client hears first, without its CRLF (RFC 5321, 4.2).
    std::string opening() const { return "220 " + greeting + " ESMTP"; }
};

// The settings, read again when one of their files has changed: for the listener.
class WatchedSettings {
  public:
    explicit WatchedSettings(control::Home home);
    // Throws Error as Settings::read does; the next call tries again.
    const Settings& get();
    // As they were last read.
    const Settings& last() const { return settings_; }
    // Another one each time they were read.
    std::uint64_t version() const { return version_; }

  private:
    control::Home home_;
    std::vector<control::ChangeWatch> files_;
    bool valid_ = false;
    std::uint64_t version_ = 0;
    Settings settings_;
};

}  // namespace relais::smtpd
