// Requests and forms as they come from the network (http/request.h).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/request.h"

using namespace relais::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t body_limit = 1000;
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    const Request request = parse_request(octets, body_limit);
    if (request.state == Request::State::ready &&
        (request.method.empty() || !request.path.starts_with('/') || request.path.size() > header_limit ||
         request.body.size() > body_limit))
        std::abort();
    // What is complete stays what it is, whatever follows.
    if (request.state == Request::State::ready && octets.size() < header_limit &&
        parse_request(std::string(octets) + "x", body_limit).state != Request::State::ready)
        std::abort();
    (void)cookie(request, "relais");
    for (const std::string_view text : {request.query, request.body, octets}) {
        const auto form = parse_form(text, 100);
        if (!form) continue;
        // A value that was understood is understood again.
        for (const auto& [name, value] : *form) {
            const auto again = parse_form("x=" + encode_value(value), 1);
            if (!again || value_of(*again, "x") != value) std::abort();
        }
    }
    return 0;
}
