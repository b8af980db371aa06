// What the policy of a domain (MTA-STS, RFC 8461) asks of connections to its servers, where neither a line of
// control/tlsdestinations nor DANE says it.
#pragma once

#include <string>

#include "net/resolver_protocol.h"
#include "remote/report.h"
#include "remote/tls_policy.h"
#include "sts/protocol.h"

namespace relais::remote {

// Asks DNS for the policy's record, and qmail-stsd for the policy. A domain that can have none, an address
// for one, has none.
sts::Found find_domain_policy(net::Resolver& resolver, sts::Policies& policies, const std::string& domain,
                              Seconds timeout_dns);

// It must be known. "testing" and "none" ask for nothing.
bool is_enforced(const sts::Found& found);
// The policy of a line with what the domain's asks for at a server that it admits. authorities: their file.
TlsPolicy with_domain_policy(const TlsPolicy& policy, const std::string& domain, const std::string& server,
                             const std::string& authorities);

// Whether there is a policy could not be found out. (#4.3.0)
Verdict domain_policy_unknown(const std::string& domain);
// (#4.7.5)
Verdict not_admitted(const std::string& domain, const std::string& server);

}  // namespace relais::remote
