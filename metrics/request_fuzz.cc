// Requests as they come from the network (metrics/request.h).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metrics/request.h"

using namespace relais::metrics;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    const Request request = parse_request(octets);
    if (request.state == Request::State::ready &&
        (request.method.empty() || !request.path.starts_with('/') || request.path.size() > request_limit))
        std::abort();
    // What is complete stays what it is, whatever follows.
    if (request.state == Request::State::ready && octets.size() < request_limit &&
        parse_request(std::string(octets) + "x").state != Request::State::ready)
        std::abort();
    return 0;
}
