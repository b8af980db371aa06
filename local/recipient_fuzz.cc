// What clients send to qmail-rcptd, and what its halves and users' processes send to each other.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "local/home_look.h"
#include "local/recipient_protocol.h"
#include "policy/recipient_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string text(reinterpret_cast<const char*>(data), size);
    std::string input = text;
    bool broken = false;
    while (const auto address = local::take_recipient_question(input, broken))
        if (address->empty() || address->size() > mail::address_limit) std::abort();
    if (const auto question = local::decode_home_question(text))
        if (local::encode(*question) != text) std::abort();
    if (const auto answer = local::decode_home_answer(text))
        if (local::encode(*answer) != text) std::abort();
    local::decode_user_question(text);
    policy::RecipientCheck({text.substr(0, size / 2), text.substr(size / 2)}).mode_of(text);
    return 0;
}
