// What one half of qmail-console says to the other (console/protocol.h): each believes the other nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "console/html.h"
#include "console/pages.h"
#include "console/protocol.h"

using namespace relais::console;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    const std::string escaped = escape(input);
    if (escaped.find_first_of("<>\"'") != std::string::npos) std::abort();
    bool broken = false;
    while (const auto fields = take_frame(input, question_limit, broken)) {
        if (const auto question = decode_question(*fields)) {
            (void)fault_of(*question);
            bool again_broken = false;
            std::string again = encode(*question);
            const auto fields_again = take_frame(again, question_limit, again_broken);
            if (!fields_again || !again.empty() || !decode_question(*fields_again)) std::abort();
        }
        if (const auto answer = decode_answer(*fields)) {
            (void)queue_body(*answer, {});
            (void)refusals_body(*answer, {});
            (void)people_body(*answer, *answer, *answer);
            (void)destinations_body(*answer, *answer);
            (void)confirm_body(*answer, "delete");
            (void)result_body(*answer, "hold");
        }
    }
    return 0;
}
