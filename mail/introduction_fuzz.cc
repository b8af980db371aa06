// What a front end says of its client: values that a log or a trace field could not hold never come out.
#include <cstdint>
#include <cstdlib>

#include "mail/introduction.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::mail;
    const auto attributes = parse_introduction({reinterpret_cast<const char*>(data), size});
    if (!attributes) return 0;
    if (attributes->empty() || attributes->size() > 16) std::abort();
    for (const IntroductionAttribute& each : *attributes) {
        if (!each.value) continue;
        if (each.value->empty() || each.value->size() > 255) std::abort();
        for (const char c : *each.value)
            if (c < 33 || c > 126) std::abort();
        if (const auto address = parse_introduced_address(*each.value))
            if (address->find_first_not_of("0123456789abcdef:.") != std::string::npos) std::abort();
    }
    return 0;
}
