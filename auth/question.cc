#include "auth/question.h"

#include <cstring>

namespace relais::auth {
namespace {

constexpr std::string_view Question::*members[] = {&Question::user, &Question::service, &Question::address,
                                                   &Question::challenge, &Question::secret};

}  // namespace

Secret encode_question(const Question& question) {
    Secret packet(question_size);
    std::size_t at = 0;
    packet.span()[at++] = static_cast<char>(question.helper);
    for (std::size_t i = 0; i < question_fields.size(); ++i) {
        const std::string_view field = question.*members[i];
        if (field.size() >= question_fields[i] || field.find('\0') != std::string_view::npos) return {};
        if (!field.empty()) std::memcpy(packet.span().data() + at, field.data(), field.size());
        at += question_fields[i];
    }
    return packet;
}

std::optional<Question> decode_question(std::string_view packet) {
    if (packet.size() != question_size) return std::nullopt;
    Question question;
    question.helper = static_cast<Helper>(packet[0]);
    packet.remove_prefix(1);
    for (std::size_t i = 0; i < question_fields.size(); ++i) {
        const std::string_view place = packet.substr(0, question_fields[i]);
        const std::size_t end = place.find('\0');
        if (end == std::string_view::npos || place.find_first_not_of('\0', end) != std::string_view::npos)
            return std::nullopt;
        question.*members[i] = place.substr(0, end);
        packet.remove_prefix(place.size());
    }
    switch (question.helper) {
        case Helper::hashes:
        case Helper::pam:
        case Helper::program:
        case Helper::challenge:
        case Helper::validator:
        case Helper::dovecot:
            return question;
        default:
            return std::nullopt;
    }
}

}  // namespace relais::auth
