// Questions and answers of qmail-resolver's protocol, and names in DNS's wire form: whatever decodes encodes
// to the same.
#include <cstdint>
#include <cstdlib>

#include "net/dns_name.h"
#include "net/resolver_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::net;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto question = decode_question(input))
        if (encode_question(question->type, question->name).substr(2) != input) std::abort();
    if (const auto answer = decode_answer(input))
        if (encode_answer(*answer).substr(4) != input) std::abort();
    if (const auto name = parse_wire_name(input))
        if (name->size > input.size() || name->size > 255) std::abort();
    is_askable_name(input);
    return 0;
}
