// .forward files: recipients are complete, and nothing of them can leave the envelope's form.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "forwarding/forward_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        const auto file =
            forwarding::parse_forward_file(text, "joe", "mx.test", {"d.example", "example", "p"});
        for (const std::string& recipient : file.recipients)
            if (recipient.find('@') == std::string::npos ||
                recipient.find_first_of(std::string_view("\0\n", 2)) != std::string::npos)
                std::abort();
    } catch (const Error&) {
    }
    return 0;
}
