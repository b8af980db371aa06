// A message in pieces, whose length the first octet says: what a strict server reads is the message with its
// line ends mended.
#include <cstdint>
#include <cstdlib>

#include "remote/data.h"
#include "remote/data_decode.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::remote;
    // A longer line of NULs may get its dot in the middle.
    if (size == 0 || size > 4096) return 0;
    const std::size_t piece = data[0] % 16 + 1U;
    const std::string_view message(reinterpret_cast<const char*>(data) + 1, size - 1);
    DataEncoder encoder;
    std::string wire;
    for (std::size_t at = 0; at < message.size(); at += piece)
        encoder.encode(message.substr(at, piece), wire);
    encoder.finish(wire);
    const auto read = decode_data(wire);
    if (!read || *read != with_mended_line_ends(message)) std::abort();
    return 0;
}
