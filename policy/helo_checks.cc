// What the client calls itself.
#include <algorithm>

#include "base/text.h"
#include "mail/address.h"
#include "net/socket.h"
#include "policy/check.h"

namespace relais::policy {
namespace {

bool is_own_address(std::string_view name, const Client& client) {
    const auto literal = mail::address_literal(name);
    return net::canonical_address(literal ? *literal : std::string(name)) == client.local_ip;
}

// Programs of this host may say its name.
bool is_on_this_host(const Client& client) {
    return client.ip == client.local_ip || client.ip == "::1" || client.ip.starts_with("127.");
}

}  // namespace

Result check_badhelo(Facts& facts) {
    const auto entry = facts.policy.bad_names().helo_names().match(facts.helo.value_or(""));
    if (!entry) return {};
    return found("553 sorry, your HELO host name is in my badhelo list (#5.7.1)",
                 "the HELO name matches " + *entry, *entry);
}

Result check_heloself(Facts& facts) {
    const std::string name = facts.helo.value_or("");
    if (name.empty() || is_on_this_host(facts.client)) return {};
    const auto& ours = facts.settings.own_names;
    const bool said = std::any_of(ours.begin(), ours.end(),
                                  [&](const std::string& each) { return equal_ignoring_case(name, each); });
    if (!said && !is_own_address(name, facts.client)) return {};
    return found("553 sorry, that HELO name is mine and not yours (#5.7.1)", "the HELO name is ours");
}

}  // namespace relais::policy
