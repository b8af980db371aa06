// Addresses in UTF-8, and those of ORCPT, from anybody.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/idna.h"
#include "mail/utf8_address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string text(data, data + size);
    if (const auto address = mail::decode_utf8_address(text))
        if (mail::decode_utf8_address(mail::encode_utf8_address(*address)) != address) std::abort();
    if (!mail::is_ascii(mail::encode_utf8_address(text))) std::abort();
    if (const auto address = mail::ascii_address(text); address && !mail::is_ascii(*address)) std::abort();
    if (comparable(comparable(text)) != comparable(text)) std::abort();
    mail::is_utf8_address(text);
    return 0;
}
