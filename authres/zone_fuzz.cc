// Zone files: what is read answers every question, and names in keys lead back.
#include <cstdint>
#include <cstdlib>

#include "authres/zone.h"
#include "authres/zone_text.h"
#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais::authres;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    try {
        const Zone zone = Zone::parse(input, "zone");
        for (const auto type :
             {relais::net::RecordType::a, relais::net::RecordType::txt, relais::net::RecordType::cname})
            for (const std::string_view name : {"example.org", "a.example.org", "", ".", "x.w.example.org"})
                zone.answer(type, name);
    } catch (const relais::Error& error) {
        if (error.reaction() != relais::Reaction::permanent) std::abort();
    }
    const std::string_view line = input.substr(0, input.find('\n'));
    if (const auto key = name_key(line); key && last_label_at(*key) > key->size()) std::abort();
    return 0;
}
