// What qmail-smtpd would say: its own session is run, in this process, with the client's commands prepared.
// It takes no message, so nothing comes of it.
#pragma once

#include <string>
#include <vector>

#include "policy/client.h"
#include "policy/policy.h"
#include "smtpd/settings.h"

namespace relais::explain {

struct Exchange {
    std::string command;
    std::string reply;             // its last line
    std::vector<std::string> log;  // what the server logs about it
};
struct Rehearsal {
    std::string greeting;
    Exchange helo;
    Exchange mail;
    std::vector<Exchange> recipients;
};

// Throws Error when there is no socket pair to be had.
Rehearsal rehearse(const policy::Client& client, const smtpd::Settings& settings, policy::Policy& policy,
                   authres::Dns& dns, const std::string& helo, const std::string& sender,
                   const std::vector<std::string>& recipients);

}  // namespace relais::explain
