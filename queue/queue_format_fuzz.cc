// The queue file's decoders: anything may stand in a file; what they take must come back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "queue/format.h"
#include "queue/protocol.h"

using namespace relais::queue;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check_envelope(std::string_view data, unsigned version) {
    const auto envelope = decode_envelope(std::string(data), 1000, version);
    if (!envelope) return;
    const std::string again = encode_envelope(*envelope);
    const auto second = decode_envelope(again, 1000, version_of(*envelope));
    require(second && second->recipients.size() == envelope->recipients.size() &&
            second->uid == envelope->uid && second->options == envelope->options);
    for (const Recipient& recipient : envelope->recipients)
        require(data.at(static_cast<std::size_t>(recipient.mark_offset - 1000)) ==
                static_cast<char>(recipient.mark));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view data(reinterpret_cast<const char*>(bytes), size);
    for (const unsigned version : {1U, 2U}) check_envelope(data, version);
    if (size >= footer_size) {
        const auto footer = decode_footer(data.substr(size - footer_size), size);
        if (footer) {
            require(encode_footer(*footer) == data.substr(size - footer_size));
            require(footer->message_size + footer->envelope_size + status_size + footer_size == size);
        }
    }
    if (const auto at = find_footer(data)) {
        const auto loose = read_footer_loosely(data.substr(*at));
        require(footer_trace(data) == Trace::known_version && (!loose || size - *at >= 32));
    }
    const Status status = decode_status(data.substr(0, status_size));
    require(status.next_try >= 0 && status.last_error.size() <= error_text_size);
    if (const auto head = decode_answer_head(data.substr(0, answer_head_size)))
        require(head->text_size <= answer_text_limit);
    return 0;
}
