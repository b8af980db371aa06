// What qmail-setup is asked to make, and the plan that follows from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "setup/layout.h"

namespace relais::setup {

// As it is typed. A port that is not given is the usual one, or above 1023 for an ordinary user; 0 is no
// server.
struct Request {
    std::string directory;
    std::string me;
    std::string domain;
    std::string user;
    std::string admin;
    std::vector<std::string> listen;
    unsigned port = 0;
    std::optional<unsigned> pop3_port;
    std::optional<unsigned> pop3s_port;
    std::optional<unsigned> submission_port;
    std::optional<unsigned> submissions_port;
    unsigned numbers = 0;
    bool own_listener = false;
};

// Makes users of the system that are missing, and says which in the report. Throws a permanent Error for what
// cannot be made so.
Plan plan_of_request(const Request& request, std::vector<std::string>& report);

}  // namespace relais::setup
