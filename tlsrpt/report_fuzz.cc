// Reports on TLS from anybody: messages, gzip, JSON.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tlsrpt/words.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::tlsrpt;
    const std::string text(data, data + size);
    const auto found = read_reports(text);
    if (const auto* reports = std::get_if<std::vector<Report>>(&found)) {
        const std::string words = text_of(*reports);
        if (words.find('\x1b') != std::string::npos) std::abort();
        json_of(*reports);
    }
    return 0;
}
