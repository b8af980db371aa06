// What qmail-summary takes from a process that has read what roles wrote, and its own state.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "summary/words.h"

using namespace relais::summary;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    Facts facts;
    facts.host = "mail.example.org";
    facts.counted = true;
    facts.now = 1'764'633'600;
    if (const auto state = parse_state(text)) {
        const auto again = parse_state(encode(*state));
        if (!again || again->counted != state->counted || again->earlier != state->earlier) std::abort();
        facts.since = state->since;
        facts.before = state->before;
        facts.grown = state->counted;
        facts.earlier = state->earlier;
    }
    for (const std::string_view line : relais::split(text, '\n')) {
        take_number(line, "count", facts.levels);
        if (auto certificate = parse_certificate(line)) facts.certificates.push_back(*certificate);
        if (const auto setting = parse_setting(line))
            for (const char c : setting->address)
                if (c <= ' ' || c == '<' || c == '>') std::abort();
    }
    const std::string message =
        message_of({"a@b", "c@d", "b", facts.since, facts.now}, words_of_summary(facts, {}));
    for (const char c : message)
        if (static_cast<unsigned char>(c) < ' ' && c != '\n') std::abort();
    return 0;
}
