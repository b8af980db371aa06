// Lines of users/assign: what is taken can be read back from users/cdb as a user who may get mail.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "local/assign.h"
#include "local/user.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const std::string_view line : split(text, '\n')) {
        try {
            const local::AssignRecord record = local::parse_assign_line(line);
            const auto user = local::decode_user(record.data, "rest");
            if (!user || user->home.front() != '/' || record.key.front() != '!') std::abort();
            if (user->home.find('\0') != std::string::npos) std::abort();
        } catch (const Error& error) {
            if (error.reaction() != Reaction::permanent) std::abort();
        }
    }
    return 0;
}
