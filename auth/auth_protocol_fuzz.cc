#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "auth/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::auth;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto request = decode_request(input))
        if (encode_request(*request).substr(2) != input) std::abort();
    if (const auto answer = decode_answer(input)) {
        const std::string encoded = encode_answer(*answer);
        // Numbers may be written in more than one way, so that only the meaning must come back.
        if (!encoded.empty() && decode_answer(std::string_view(encoded).substr(2)) != *answer) std::abort();
    }
    return 0;
}
