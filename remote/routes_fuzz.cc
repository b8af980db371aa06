// control/smtproutes, and a domain to look up in it: the last line.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "remote/routes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::remote;
    const auto parts = relais::split({reinterpret_cast<const char*>(data), size}, '\n');
    const Route route = Routes({parts.begin(), parts.end()}).match(parts.back());
    if (route.usable && (route.port == 0 || route.host.find_first_of("[]|") != std::string::npos))
        std::abort();
    return 0;
}
