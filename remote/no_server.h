// Why no server could be found for a domain: the reason is decided where servers are searched, the report and
// the explanation (explain/no_server.h) have words for each.
#pragma once

#include <cstdint>
#include <string>

#include "remote/report.h"

namespace relais::remote {

enum class NoServer : std::uint8_t {
    unusable_route,     // its line in smtproutes or authsenders
    route_unknown,      // the host of such a line has no address
    no_such_domain,     // (RFC 5321, 5.1)
    null_mx,            // the domain takes no mail (RFC 7505)
    dns_failed,         // of its MX, or of an MX's address
    no_exchanger,       // neither an MX nor an address that can be used
    private_exchanger,  // only addresses that are not used
    wrong_family,       // only addresses of the family that control/ipversions turns off
    is_me,              // the best MX is this host
};

// It may be otherwise later, or it is our own doing: the message stays in the queue.
bool is_temporary(NoServer reason);

struct NoServerFound {
    NoServer reason = NoServer::no_exchanger;
    std::string name{};  // the domain or host it is about; of an unusable route what is wrong with it
    std::string more{};  // an address that was not used; of a route the file that names it
};

// As qmail-remote reports it.
Verdict verdict_of(const NoServerFound& found);

}  // namespace relais::remote
