#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "auth/account.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::auth;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto name = canonical_name(input, "example.org"))
        if (canonical_name(*name, "") != *name) std::abort();
    try {
        const Account account = parse_passwd_line(input);
        if (parse_passwd_line(format_passwd_line(account)) != account) std::abort();
        if (decode_record(account.name, encode_record(account)) != account) std::abort();
    } catch (const relais::Error&) {
        // What is wrong with the line is told to a person.
    }
    return 0;
}
