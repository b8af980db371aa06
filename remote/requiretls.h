// What a message itself asks of TLS on its way (RFC 8689): REQUIRETLS, said of its envelope, that it goes
// to no server but one whose name somebody vouches for, that shows a certificate for it, and that promises
// the same; TLS-Required: No, in its header, that it goes though a policy would hold it back. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "remote/report.h"
#include "remote/tls_policy.h"
#include "sts/protocol.h"

namespace relais::remote {

// Whether the fields of a header, as mail::HeaderReader has them, say TLS-Required: No: one does, and no
// other has that name.
bool tls_is_not_required(const std::vector<std::string>& fields);
// The policy without what it requires.
TlsPolicy without_requirement(const TlsPolicy& policy);

// Whether a sender is that of a report: RFC 8689, 5: such a message is not lost for want of REQUIRETLS.
bool is_report(std::string_view sender);
// The policy with what REQUIRETLS asks for: what authenticates the server stays, anything else becomes a
// certificate for its name. authorities: as TlsPolicy::ca_file.
TlsPolicy with_requiretls(const TlsPolicy& policy, const std::string& server, const std::string& authorities);
// Whether a line of the administrator says what the server's certificate is to be, whatever its name.
bool names_the_server(const TlsPolicy& policy);
// Whether the policy of a domain (MTA-STS), enforced or on trial, names the server.
bool vouches_for(const sts::Found& found, const std::string& server);

// Neither DNSSEC nor a policy says that this is a server of the domain. (#5.7.10)
Verdict nobody_vouches(const std::string& domain, const std::string& server);
// (#5.7.30)
Verdict requiretls_not_offered(const std::string& ip);

}  // namespace relais::remote
