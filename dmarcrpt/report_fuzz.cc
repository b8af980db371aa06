// Reports on DMARC from anybody: messages, gzip, zip, XML.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "dmarcrpt/words.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::dmarcrpt;
    const std::string text(data, data + size);
    // Little, so that the fuzzer meets the limits.
    Room room{1 << 16, 20, 40};
    const Found found = read_reports(text, room);
    if (found.reports.empty() && found.trouble.empty()) std::abort();
    std::size_t rows = 0;
    for (const Report& report : found.reports) rows += report.rows.size();
    if (room.octets > 1 << 16 || rows + room.rows > 20) std::abort();
    if (text_of(found.reports).find('\x1b') != std::string::npos) std::abort();
    json_of(found.reports);
    return 0;
}
