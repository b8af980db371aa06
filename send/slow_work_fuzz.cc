// What qmail-send asks of its children for slow work. What is taken must be what is written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "send/slow_work.h"

using namespace relais::send;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    if (const auto record = decode_failure_record(data)) {
        const auto again = decode_failure_record(encode(*record));
        if (!again || encode(*again) != encode(*record)) std::abort();
    }
    return 0;
}
