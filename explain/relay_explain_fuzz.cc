// Log lines (strangers write in them), run scripts and rules keys.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "explain/audit.h"
#include "explain/listener.h"
#include "explain/watch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto refusal = relais::explain::parse_refusal(text))
        for (const char c : refusal->reason)
            if (c < 32 || c > 126) std::abort();
    relais::explain::parse_run_script("qmail-smtpd", text);
    const auto breadth = relais::explain::breadth_of_key(text);
    if (breadth.ipv4 < 0 || breadth.ipv4 > 4294967296.0 || breadth.ipv6 < 0 || breadth.ipv6 > 536870912.0)
        std::abort();
    return 0;
}
