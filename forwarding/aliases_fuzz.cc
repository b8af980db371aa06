// Files of aliases and of :include:: what comes out can be read as a table, and nothing leaves its form.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "forwarding/aliases.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try {
        for (const forwarding::Record& record : forwarding::parse_aliases(text, "mx.test")) {
            if (record.key.size() < 3 || record.key.find('\n') != std::string::npos) std::abort();
            if (record.key.front() == '?') continue;
            for (const std::string_view command : forwarding::commands_of(record.data, "bad"))
                if (std::string_view("&!|:").find(command.front()) == std::string_view::npos) std::abort();
        }
    } catch (const Error&) {
    }
    try {
        const std::string list = forwarding::parse_include(text);
        for (const std::string_view command : forwarding::commands_of(list, "bad"))
            if (command.front() != '&' || command.find('\n') != std::string_view::npos) std::abort();
    } catch (const Error&) {
    }
    return 0;
}
