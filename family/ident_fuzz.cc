// Replies of identification servers: a user is never empty, longer than the reply, or with NUL.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "family/ident.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view reply(reinterpret_cast<const char*>(data), size);
    const auto user = relais::family::ident_user(reply);
    if (user && (user->empty() || user->size() >= size || user->find('\0') != std::string::npos))
        std::abort();
    return 0;
}
