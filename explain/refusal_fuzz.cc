// A bounce by anybody.
#include <cstdint>

#include "explain/refusal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::explain;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto refusals = read_refusals(input);
    if (refusals.size() > refusals_limit) __builtin_trap();
    for (const Refusal& refusal : refusals)
        if (refusal.recipient.size() + refusal.text.size() > 4 * input.size() + 16) __builtin_trap();
    return 0;
}
