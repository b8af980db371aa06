// control/destinationlimits: any octets. What a line says is what its domain gets, and no limit is made
// stricter by itself.
#include <cstdlib>

#include "base/text.h"
#include "control/destination_limits.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::vector<std::string> lines;
    for (const std::string_view line : split(text, '\n')) lines.emplace_back(line);
    const control::DestinationLimits limits(lines);
    for (const std::string& line : lines) {
        const auto found = limits.match(std::string_view(line).substr(0, line.find(':')));
        if (!(control::stricter(found, found) == found)) std::abort();
    }
    return 0;
}
