// What the settings of a Postfix mean here: control files, tcp.smtp, users/assign and .qmail files of alias.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "setup/postfix_config.h"
#include "setup/proposals.h"

namespace relais::setup {

// Reads, and decides. Throws Error.
std::vector<OldSetting> postfix_settings(const PostfixConfig& config, const Plan& plan);

// Its parts. domains and clients: whose mail is taken, and who may relay.
void propose_domains(const PostfixConfig& config, Proposals& proposals);
void propose_clients(const PostfixConfig& config, bool ipv6_apart, Proposals& proposals);
// relayhost and transport_maps, with their passwords.
void propose_routes(const PostfixConfig& config, Proposals& proposals);
// What virtual_alias_domains or virtual_mailbox_domains lists. Keys of a map that have no dot are names of
// local aliases, for such a list often is the map of the aliases. What cannot be listed goes to missed.
std::vector<std::string> virtual_domains(const PostfixConfig& config, const std::string& name,
                                         std::vector<std::string>& missed);
// alias_maps, virtual_alias_*, virtual_mailbox_*. is_user: of this host, one who gets mail. beginning: of
// alias's extension for mail to alias-x: "alias-" where alias is no user of the system.
void propose_addresses(const PostfixConfig& config, const std::function<bool(const std::string&)>& is_user,
                       Proposals& proposals, const std::string& beginning = "");
// virtual_mailbox_maps. elsewhere: small addresses that virtual_alias_maps sends elsewhere. beginning: of the
// paths of .qmail files for virtual domains.
void propose_mailboxes(const PostfixConfig& config, const std::set<std::string>& elsewhere,
                       const std::string& beginning, Proposals& proposals);
// Lines of tcp.smtp for a list of networks of which the first that holds a client counts, "!" before those
// that may not relay. What cannot be written exactly is missed, for people. Pure.
struct RelayRule {
    bool v6 = false;
    std::string text{};
};
struct RelayRules {
    std::vector<RelayRule> rules{};
    std::vector<std::string> missed{};
};
RelayRules relay_rules(const std::vector<std::string>& networks);

}  // namespace relais::setup
