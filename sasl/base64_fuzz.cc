#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sasl/base64.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::sasl;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto octets = decode_base64(input))
        if (encode_base64(*octets) != input) std::abort();
    if (decode_base64(encode_base64(input)) != input) std::abort();
    return 0;
}
