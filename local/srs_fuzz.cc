// Senders and recipients that strangers write: no address that we did not make leads anywhere, and what was
// rewritten comes back.
#include <cstdint>
#include <cstdlib>

#include "local/srs.h"
#include "mail/address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    constexpr std::int64_t now = 1'796'000'000;
    const local::Srs ours("ours.example", {"a secret of the fuzzer's"});
    if (const auto rewritten = ours.rewrite(input, now)) {
        if (rewritten->size() > mail::address_limit || !ours.is_rewritten(*rewritten)) std::abort();
        const auto back = ours.reverse(*rewritten, now);
        const bool is_first = rewritten->starts_with("SRS0");
        if (is_first && back != input) std::abort();
    }
    if (ours.reverse(input, now)) std::abort();
    return 0;
}
