// The header of a message, and below a line of its own what its owner wrote and who has had an answer.
#include <cstdlib>

#include "base/text.h"
#include "family/autoreply.h"
#include "mail/header.h"

using namespace relais;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t end = std::min(input.find('\1'), input.size());
    mail::HeaderReader reader(std::size_t{1} << 20);
    if (reader.add(input.substr(0, end)) == mail::HeaderReader::State::more) reader.finish();
    const std::string_view text = input.substr(std::min(end + 1, input.size()));
    (void)family::reason_for_silence(reader.fields(), "joe@a.example");
    (void)family::named_address(reader.fields(), {"anna@b.example"});
    const std::string answer =
        family::answer_to(reader.fields(), text, {"anna@b.example", "joe@a.example", 0, 1});
    // A stranger's header adds no field: one Auto-Submitted, before the text.
    if (answer.find("\nAuto-Submitted: auto-replied\n") == std::string::npos) std::abort();
    const family::Answered answered(text, 1000, 600);
    if (family::Answered(answered.lines(), 1000, 600).lines() != answered.lines()) std::abort();
    return 0;
}
