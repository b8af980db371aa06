// control/tlsdestinations, domainips and outgoingip, and a name to look up in them: the last line.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "remote/source.h"
#include "remote/tls_policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::remote;
    const auto parts = relais::split({reinterpret_cast<const char*>(data), size}, '\n');
    const std::vector<std::string> lines(parts.begin(), parts.end());
    const TlsDestinations destinations(lines);
    const TlsPolicy& policy = destinations.match({parts.back(), "mx.example.org"});
    if (policy.usable && (policy.level == TlsLevel::fingerprint) != !policy.digests.empty()) std::abort();
    if (!with_credentials(policy).named && policy.usable && !with_credentials(policy).authenticates_server())
        std::abort();
    const Sources sources(lines, lines);
    const Source& source = sources.choose("x@" + lines.back(), parts.front());
    if (source.v4.find(':') != std::string::npos || source.helo.find_first_of("\r\n ") != std::string::npos)
        if (source.usable) std::abort();
    parse_families(parts.front());
    return 0;
}
