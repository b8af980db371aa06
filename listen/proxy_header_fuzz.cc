// What a proxy, or anybody at its address, says of a connection: the same in one piece and octet by octet,
// nothing taken that is the client's, and no address that is none.
#include <cstdint>
#include <cstdlib>

#include "listen/proxy_header.h"

using namespace relais;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    listen::ProxyHeader whole;
    listen::ProxyHeader pieces;
    const std::size_t used = whole.feed(data);
    std::size_t count = 0;
    for (std::size_t i = 0; i < size; ++i) count += pieces.feed(data.substr(i, 1));
    using State = listen::ProxyHeader::State;
    if (pieces.state() != whole.state()) std::abort();
    if (whole.state() != State::wrong && used != count) std::abort();
    if (used > 16 + listen::ProxyHeader::block_limit) std::abort();
    if (whole.state() == State::open && used != size) std::abort();
    if (whole.connection().has_value() != pieces.connection().has_value()) std::abort();
    if (const auto& connection = whole.connection()) {
        if (whole.state() != State::complete) std::abort();
        for (const net::Endpoint& end : {connection->client, connection->local})
            if (net::canonical_address(end.ip) != end.ip) std::abort();
    }
    return 0;
}
