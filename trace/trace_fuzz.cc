// Packets as qmail-traced gets them (trace/protocol.h).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "trace/life.h"
#include "trace/protocol.h"

using namespace relais::trace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto records = decode({reinterpret_cast<const char*>(data), size});
    if (!records) return 0;
    std::string again;
    for (const Record& record : *records) {
        again += encode(record);
        for (const char c : line_of(record))
            if (static_cast<unsigned char>(c) < 32) std::abort();
        children_of(record);
    }
    if (!decode(again)) std::abort();
    return 0;
}
