// The files of a Postfix queue: anything may stand in them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "mail/address.h"
#include "setup/postfix_config.h"
#include "setup/postfix_file.h"

using namespace relais::setup;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    const PostfixFile file = parse_postfix_file(data);
    // Each line of a message has a record's two octets and no more, each recipient its own record.
    require(file.text.size() <= size && file.envelope.recipients.size() <= size);
    require(file.whole || !file.fault.empty());
    require(!file.whole || !file.envelope.recipients.empty());
    for (const auto& recipient : file.envelope.recipients)
        require(!recipient.address.empty() && recipient.address.size() <= relais::mail::address_limit &&
                recipient.address.find('\0') == recipient.address.npos);
    for (const PostfixFailure& failure : parse_postfix_bounce(data)) {
        const std::string text = bounce_paragraph(failure.recipient, failure.reason);
        require(text.find('\0') == text.npos && text.ends_with("\n\n"));
    }
    const std::string completed =
        completed_text(data, {.sender = "a@b.test", .date = "d", .message_id = "<i@b.test>"});
    require(completed.size() <= size + 80);
    for (const auto& [key, value] : parse_map(data)) require(!key.empty() && key.find('\n') == key.npos);
    if (const auto hop = parse_next_hop(data)) require(hop->port > 0 && hop->port < 65536);
    for (const std::string& word : list_of(data)) require(!word.empty() && word.find(' ') == word.npos);
    return 0;
}
