#include "local/recipient_protocol.h"

#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/unix_socket.h"

namespace relais::local {

std::string encode_recipient_question(std::string_view address) {
    address = address.substr(0, mail::address_limit);
    std::string out;
    append_le(out, address.size(), recipient_head_size);
    return out.append(address);
}

std::optional<std::string> take_recipient_question(std::string& input, bool& broken) {
    if (input.size() < recipient_head_size) return std::nullopt;
    const std::size_t length = get_le(input, 0, recipient_head_size);
    broken = length == 0 || length > mail::address_limit;
    if (broken || input.size() < recipient_head_size + length) return std::nullopt;
    std::string address = input.substr(recipient_head_size, length);
    input.erase(0, recipient_head_size + length);
    return address;
}

std::optional<RecipientAnswer> decode_recipient_answer(char octet) {
    const auto answer = static_cast<RecipientAnswer>(octet);
    switch (answer) {
        case RecipientAnswer::known:
        case RecipientAnswer::unknown:
        case RecipientAnswer::elsewhere:
        case RecipientAnswer::not_now:
        case RecipientAnswer::bounces:
            return answer;
    }
    return std::nullopt;
}

RecipientAnswer RecipientQuestions::ask(std::string_view address, Deadline deadline) {
    const std::string question = encode_recipient_question(address);
    // A kept connection may be to a server that has been restarted since: then once more on a new one.
    const bool kept = static_cast<bool>(fd_);
    auto answer = try_ask(question, deadline);
    if (!answer && kept && !deadline.passed()) answer = try_ask(question, deadline);
    return answer.value_or(RecipientAnswer::not_now);
}

std::optional<RecipientAnswer> RecipientQuestions::try_ask(std::string_view question, Deadline deadline) {
    try {
        if (!fd_) fd_ = connect_unix(home_.socket("recipients"), deadline);
        write_all(fd_.get(), question, deadline);
        std::array<char, 1> octet{};
        if (read_exactly(fd_.get(), octet, deadline))
            if (const auto answer = decode_recipient_answer(octet[0])) return answer;
    } catch (const Error&) {
    }
    // An answer that comes too late must not be taken for that of the next question.
    fd_.reset();
    return std::nullopt;
}

}  // namespace relais::local
