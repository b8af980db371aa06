// What a session and the runner of filters read of a client: fields that end with a NUL.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "listen/visitor.h"

using namespace relais::listen;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    try {
        const Visitor visitor = decode_visitor(data);
        if (!(decode_visitor(encode(visitor)) == visitor)) std::abort();
        if (variables_of(visitor, visitor.note).size() < 4 || key_of(visitor).empty()) std::abort();
    } catch (const relais::Error&) {
    }
    return 0;
}
