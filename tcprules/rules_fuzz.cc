// Any line is nothing, a rule or wrong; a rule's record and keys have the promised form.
#include <cstdint>
#include <cstdlib>

#include "tcprules/compile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::tcprules;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto parsed = parse_rule(input);
    if (const auto* rule = std::get_if<Rule>(&parsed)) {
        if (rule->keys.size() > 257) std::abort();
        if (!rule->data.empty() && rule->data.back() != '\0') std::abort();
        for (const Key& key : rule->keys)
            if (key.bits > whole_network) std::abort();
    }
    if (const auto ip = parse_ipv6(input)) {
        // A key that is an address again must be the same address. (One that ends in a lone colon is none.)
        const auto again = parse_ipv6(ipv6_key(*ip));
        if (again && *again != *ip) std::abort();
    }
    return 0;
}
