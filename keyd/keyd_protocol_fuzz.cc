// Octets as a client of qmail-keyd sends them, answered by a store without keys; and as an answer that a
// client decodes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "keyd/server.h"

using namespace relais::keyd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const KeyStore store;
    static TicketKeys tickets(relais::Seconds(100), relais::Clock::now());
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto request = decode_request(text); request && encode_request(*request) != text) std::abort();
    // Without keys nothing is signed.
    if (const auto body = answer(text, store, tickets); body && decode_signature(*body)) std::abort();
    if (const auto chain = decode_chain(text); chain && encode_chain(*chain) != text) std::abort();
    decode_signature(text);
    decode_ticket_answer(text);
    decode_new_ticket(text);
    decode_trouble(text);
    is_handshake_text(text);
    return 0;
}
