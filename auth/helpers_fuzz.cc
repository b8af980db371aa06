// What helpers say to qmail-authd, and what it asks of the half that is root: lines of Dovecot's, and records
// of one size.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "auth/dovecot.h"
#include "auth/question.h"

using namespace relais::auth;

namespace {

void check_question(std::string_view record) {
    const auto question = decode_question(record);
    if (!question) return;
    const auto again = encode_question(*question);
    if (again.view() != record) std::abort();
    for (const std::string_view field :
         {question->user, question->service, question->address, question->challenge, question->secret})
        if (field.find('\0') != std::string_view::npos) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    if (const auto answer = parse_dovecot_line(data, "1")) {
        if (answer->uid != 0 || answer->gid != 0 || !answer->home.empty()) std::abort();
    }
    check_question(data);
    std::string record(data.substr(0, question_size));
    record.resize(question_size, '\0');
    check_question(record);
    return 0;
}
