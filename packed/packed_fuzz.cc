// What others have packed: limits are kept, and what we pack can be unpacked.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "packed/message_parts.h"
#include "packed/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::packed;
    const std::string text(data, data + size);
    constexpr std::size_t limit = 1 << 16;
    std::size_t room = limit;
    const auto one = gunzip(text, room);
    if (const auto* out = std::get_if<std::string>(&one); out != nullptr && out->size() + room != limit)
        std::abort();
    room = limit;
    const auto several = unzip(text, room);
    if (const auto* files = std::get_if<std::vector<std::string>>(&several)) {
        std::size_t sum = 0;
        for (const std::string& file : *files) sum += file.size();
        if (sum + room != limit || files->size() > files_limit) std::abort();
    }
    for (const Part& part : parts_of(text)) octets_of(part);
    if (text.size() > limit) return 0;
    room = limit;
    const auto again = gunzip(gzip(text), room);
    if (std::get_if<std::string>(&again) == nullptr || std::get<std::string>(again) != text) std::abort();
    return 0;
}
