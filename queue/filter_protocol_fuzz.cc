// What a session that was taken over says to the runner of filters, and what it hears. What is taken must be
// what is written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "queue/filter_protocol.h"

using namespace relais::queue;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    if (const auto request = decode_filter_request(data))
        if (encode(*request) != data || request->extension.find('\0') != std::string_view::npos) std::abort();
    if (const auto answer = decode_filter_answer(data))
        if (encode(*answer) != data) std::abort();
    return 0;
}
