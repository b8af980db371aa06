// What qmail-send gives to its children for slow work, and what they make of it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "send/slow_work.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::send;
    const std::string_view packet(reinterpret_cast<const char*>(data), size);
    if (const auto record = decode_failure_record(packet)) {
        const auto again = decode_failure_record(encode(*record));
        if (!again || again->message != record->message || again->text != record->text ||
            again->recipients.size() != record->recipients.size() || again->told != record->told)
            std::abort();
    }
    return 0;
}
