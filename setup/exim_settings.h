// What the settings of Debian's Exim mean here: update-exim4.conf.conf (dc_...), passwd.client, mailname
// and aliases.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "setup/proposals.h"

namespace relais::setup {

// NAME='value' lines; nothing of them is run. Pure.
std::map<std::string, std::string> parse_exim_answers(std::string_view text);
// "a ; b:c" in the lists of these answers: separated by ";", or where there is none by ":". "::" is one
// ":". Pure.
std::vector<std::string> exim_list(std::string_view value);
// "host:user:password" lines of passwd.client, for that server: the first whose pattern fits. Pure.
std::string exim_login(std::string_view passwd_client, const std::string& host);

struct EximConfig {
    std::map<std::string, std::string> answers{};
    std::string mailname{};
    std::string hostname{};  // of the instance: Exim takes its own name for a local domain
    std::string passwd_client{};
    std::string aliases_path{};     // "" if there is none
    bool own_file = false;          // exim4.conf: the answers do not count
    bool rewrites = false;          // email-addresses has lines
    std::set<std::string> files{};  // of those that nothing here reads, which there are
};
// directory is /etc/exim4; mailname, aliases and email-addresses are beside it. Throws a permanent Error if
// anybody but root or this user may write there or, where root reads it, put another in its place.
EximConfig read_exim_config(const std::string& directory);

// Reads, and decides. Throws Error.
std::vector<OldSetting> exim_settings(EximConfig config, const Plan& plan);
// The same without an instance: what is proposed.
void propose_exim(const EximConfig& config, bool ipv6_apart, Proposals& proposals);

}  // namespace relais::setup
