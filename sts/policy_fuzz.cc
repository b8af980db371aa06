// What anybody's web server, DNS and file may say of a policy: whatever is understood is written and
// understood again.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "sts/cache.h"
#include "sts/fetch.h"
#include "sts/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace relais;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto policy = sts::parse_policy(input)) {
        if (policy->max_age > sts::longest_age || policy->mx.size() > sts::patterns_limit) std::abort();
        if (policy->mode != sts::Mode::none && policy->mx.empty()) std::abort();
        if (sts::parse_policy(sts::text_of(*policy)) != policy) std::abort();
        for (const std::string& pattern : policy->mx)
            if (!pattern.starts_with('*') && !sts::admits(*policy, pattern)) std::abort();
    }
    std::vector<std::string> records;
    for (const auto line : split(input, '\n')) records.emplace_back(line);
    if (const auto id = sts::policy_id(records))
        if (id->empty() || id->size() > sts::id_limit) std::abort();
    if (const auto entry = sts::decode_entry(input))
        if (sts::decode_entry(sts::encode_entry(*entry)) != entry) std::abort();
    if (const auto question = sts::decode_question(input))
        if (sts::encode(*question).substr(sts::question_head_size) != input) std::abort();
    if (const auto answer = sts::decode_answer(input))
        if (!sts::decode_answer(sts::encode(*answer).substr(sts::answer_head_size))) std::abort();
    if (const auto reply = sts::decode_reply(input))
        if (!sts::decode_reply(sts::encode_reply(*reply))) std::abort();
    return 0;
}
