// The packets between qmail-lspawn, which is root, its look-up child and its processes of users, and between the
// halves of qmail-rcptd: whatever the other side says is taken exactly or not at all.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "local/home_look.h"
#include "local/lookup.h"
#include "local/user_process.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::local;
    const std::string_view packet(reinterpret_cast<const char*>(data), size);
    if (const auto question = decode_question(packet))
        if (encode_question(question->delivery, question->local) != packet) std::abort();
    if (const auto answer = decode_lookup_answer(packet))
        if (encode(*answer) != packet) std::abort();
    if (const auto question = decode_home_question(packet))
        if (encode(*question) != packet) std::abort();
    if (const auto answer = decode_home_answer(packet))
        if (encode(*answer) != packet) std::abort();
    if (const auto question = decode_user_question(packet))
        if (encode_user_question(question->id, encode_user(question->user)).size() > packet.size() + 64)
            std::abort();
    if (const auto order = decode_user_order(packet))
        if (!decode_user_order(encode_user_order(encode_user(order->user), order->order))) std::abort();
    return 0;
}
