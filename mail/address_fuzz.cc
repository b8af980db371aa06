// Paths and addresses from anybody: no crash, and what parse_path takes survives quoting and parsing again.
#include <cstdint>
#include <cstdlib>

#include "mail/address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::mail;
    const std::string text(data, data + size);
    is_addr_spec(text);
    address_literal(text);
    quoted_address(text);
    const auto path = parse_path(text);
    if (!path) return 0;
    if (path->address.size() > address_limit) std::abort();
    if (path->address.find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos) std::abort();
    const std::string quoted = "<" + quoted_address(path->address) + ">";
    const auto again = parse_path(quoted);
    if (!again || again->address != path->address) std::abort();
    return 0;
}
