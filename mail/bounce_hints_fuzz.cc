// A table by an administrator, then a reply by anybody: "TABLE NUL REPLY".
#include <cstdint>

#include "mail/bounce_hints.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::mail;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\0'), input.size());
    const std::string_view reply = input.substr(std::min(end + 1, input.size()));
    HintTable table;
    std::vector<HintTable::Mistake> mistakes;
    table.add(input.substr(0, end), mistakes);
    for (const auto& mistake : mistakes)
        if (mistake.line == 0 || mistake.text.empty()) __builtin_trap();
    if (const BounceHint* hint = table.match(reply);
        hint != nullptr && (hint->cause.empty() || hint->name.empty()))
        __builtin_trap();
    static const HintTable built_in = [] {
        HintTable all;
        std::vector<HintTable::Mistake> none;
        all.add(HintTable::built_in(), none);
        if (!none.empty()) __builtin_trap();
        return all;
    }();
    built_in.match(reply);
    const std::string plain = plain_reply(reply);
    if (plain_reply(plain) != plain) __builtin_trap();
    return 0;
}
