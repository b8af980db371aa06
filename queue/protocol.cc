#include "queue/protocol.h"

#include <algorithm>

#include "base/error.h"
#include "base/octets.h"
#include "mail/address.h"

namespace relais::queue {
namespace {

// What may stand in one line of an SMTP reply.
std::string printable(std::string_view text) {
    std::string result(text);
    std::replace_if(
        result.begin(), result.end(), [](char c) { return c < ' ' || c > '~'; }, ' ');
    result.erase(result.find_last_not_of(' ') + 1);
    return result;
}

bool is_custom(std::string_view text) {
    return text.size() > 1 && (text.front() == 'D' || text.front() == 'Z');
}

}  // namespace

bool is_permanent(SubmitCode code, std::string_view text) {
    if (code == SubmitCode::custom) return is_custom(text) && text.front() == 'D';
    return static_cast<int>(code) >= 11 && static_cast<int>(code) <= 40;
}

std::string submit_text(SubmitCode code, std::string_view custom_text) {
    switch (code) {
        case SubmitCode::accepted:
            return "";
        case SubmitCode::address_too_long:
            return "envelope address too long for qq (#5.1.3)";
        case SubmitCode::refused:
            return "mail server permanently rejected message (#5.3.0)";
        case SubmitCode::out_of_memory:
            return "qq out of memory (#4.3.0)";
        case SubmitCode::timed_out:
            return "qq timeout (#4.3.0)";
        case SubmitCode::write_error:
            return "qq write error or disk full (#4.3.0)";
        case SubmitCode::read_error:
            return "qq read error (#4.3.0)";
        case SubmitCode::bad_configuration:
            return "qq unable to read configuration (#4.3.0)";
        case SubmitCode::network:
            return "qq trouble making network connection (#4.3.0)";
        case SubmitCode::no_home:
            return "qq trouble in home directory (#4.3.0)";
        case SubmitCode::no_queue_directory:
        case SubmitCode::cannot_create:
            return "qq trouble creating files in queue (#4.3.0)";
        case SubmitCode::refused_for_now:
            return "mail server temporarily rejected message (#4.3.0)";
        case SubmitCode::connect_timed_out:
            return "connection to mail server timed out (#4.4.1)";
        case SubmitCode::connect_refused:
            return "connection to mail server rejected (#4.4.1)";
        case SubmitCode::communication:
            return "communication with mail server failed (#4.4.2)";
        case SubmitCode::bug:
        case SubmitCode::bad_envelope:
            return "qq internal bug (#4.3.0)";
        case SubmitCode::custom:
            if (is_custom(custom_text)) return printable(custom_text.substr(1, answer_text_limit));
            break;
        case SubmitCode::not_executable:
            return "unable to exec qq (#4.3.0)";
    }
    // 63, 65 and 66: the file in pid, intd or todo, of a program in our place.
    if (const int number = static_cast<int>(code); number >= 63 && number <= 66)
        return submit_text(SubmitCode::cannot_create, "");
    return is_permanent(code, "") ? "qq permanent problem (#5.3.0)" : "qq temporary problem (#4.3.0)";
}

std::string encode_answer(const SubmitAnswer& answer) {
    const std::string_view text = std::string_view(answer.text).substr(0, answer_text_limit);
    std::string data;
    append_le(data, static_cast<std::uint64_t>(answer.code), 1);
    append_le(data, answer.id, 8);
    append_le(data, text.size(), 2);
    return data.append(text);
}

std::optional<AnswerHead> decode_answer_head(std::string_view head) {
    if (head.size() != answer_head_size) return std::nullopt;
    const AnswerHead decoded{static_cast<SubmitCode>(get_le(head, 0, 1)), get_le(head, 1, 8),
                             static_cast<std::size_t>(get_le(head, 9, 2))};
    if (decoded.text_size > answer_text_limit) return std::nullopt;
    return decoded;
}

std::string encode_submitted_envelope(std::string_view sender, const std::vector<std::string>& recipients) {
    std::size_t size = sender.size() + 3;
    for (const std::string& recipient : recipients) size += recipient.size() + 2;
    std::string data;
    data.reserve(size);
    const auto field = [&data](char letter, std::string_view address) {
        if (address.find('\0') != std::string_view::npos)
            throw Error(Reaction::bug, "an envelope address holds NUL");
        data += letter;
        data += address;
        data += '\0';
    };
    field('F', sender);
    for (const std::string& recipient : recipients) field('T', recipient);
    data += '\0';
    return data;
}

void EnvelopeCheck::feed(std::string_view piece) {
    while (!piece.empty() && !complete_ && problem_ == SubmitCode::accepted) {
        std::size_t taken = 1;
        if (in_address_)
            taken = take_address(piece);
        else
            take_letter(piece.front());
        consumed_ += taken;
        piece.remove_prefix(taken);
        if (consumed_ > envelope_limit) problem_ = SubmitCode::refused;
    }
}

void EnvelopeCheck::take_letter(char letter) {
    if (sender_seen_ && letter == '\0') {
        complete_ = true;
    } else if (letter == (sender_seen_ ? 'T' : 'F')) {
        if (sender_seen_) ++recipients_;
        in_address_ = sender_seen_ = true;
        address_octets_ = 0;
    } else {
        problem_ = SubmitCode::bad_envelope;
    }
}

// Returns how much of the piece belongs to the address, its NUL included.
std::size_t EnvelopeCheck::take_address(std::string_view piece) {
    const std::size_t end = piece.find('\0');
    const std::string_view part = piece.substr(0, end);
    address_octets_ += part.size();
    if (address_octets_ > mail::address_limit) {
        problem_ = SubmitCode::address_too_long;
    } else if (part.find('\n') != std::string_view::npos) {
        // Address lists, log lines and SMTP commands are lines: an address that holds one would forge them.
        problem_ = SubmitCode::refused;
    }
    if (end == std::string_view::npos) return piece.size();
    in_address_ = false;
    return end + 1;
}

}  // namespace relais::queue
