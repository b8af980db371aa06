// What a milter may answer, and what the two ends of milter/protocol.h may say: whatever is understood keeps
// its limits, and a message that was changed so is still one header and a body.
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/text.h"
#include "control/milters.h"
#include "mail/address.h"
#include "milter/message.h"
#include "milter/protocol.h"
#include "milter/wire.h"

namespace {

using namespace relais;

void change(std::string_view input) {
    milter::Message message("/nonexistent");
    message.hide("Received: us\n");
    message.add_text("Received: us\nSubject: x\n\nbody\n");
    message.end_text();
    while (input.size() > 2) {
        const std::size_t size =
            std::min<std::size_t>(static_cast<unsigned char>(input[0]), input.size() - 1);
        if (const auto reply = milter::decode_reply(input.substr(1, size)))
            if (milter::needed_action(reply->kind) != 0) (void)message.apply(*reply);
        input.remove_prefix(1 + size);
    }
    message.end_changes();
    std::size_t hidden = 0;
    for (const milter::Field& field : message.fields()) {
        if (field.hidden) ++hidden;
        if (field.name.find_first_of(":\n ") != std::string::npos) std::abort();
        for (std::size_t at = 0; (at = field.value.find('\n', at)) != std::string::npos; ++at)
            if (at + 1 >= field.value.size() || (field.value[at + 1] != ' ' && field.value[at + 1] != '\t'))
                std::abort();
    }
    if (hidden != 1 || !message.body().ends_line()) std::abort();
    for (const std::string& recipient : message.recipients)
        if (recipient.empty() || recipient.size() > mail::address_limit) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    (void)milter::packet_length(input);
    (void)milter::decode_negotiation(input);
    if (const auto reply = milter::decode_reply(input); reply && reply->kind == milter::Reply::Kind::code)
        if (reply->text.find_first_of("\r\n") != std::string::npos ||
            (reply->text[0] != '4' && reply->text[0] != '5'))
            std::abort();
    change(input);
    if (const auto facts = milter::decode_facts(input))
        if (milter::encode_facts(*facts) != input) std::abort();
    if (const auto verdict = milter::decode_verdict(input))
        if (milter::encode_verdict(*verdict) != input) std::abort();
    if (const auto question = milter::decode_recipient(input))
        if (milter::encode_recipient(*question) != input) std::abort();
    if (const auto outcome = milter::decode_outcome(input))
        if (milter::decode_outcome(milter::encode_outcome(*outcome)) != outcome) std::abort();
    milter::Message message("/nonexistent");
    try {
        message.add_text(input);
        message.end_text();
    } catch (const Error&) {
        // A large body has no place there.
    }
    for (const auto line : split(input, '\n'))
        if (control::parse_milter(line).has_value() != control::milter_fault(line).empty()) std::abort();
    return 0;
}
