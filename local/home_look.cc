#include "local/home_look.h"

#include "base/octets.h"

namespace relais::local {
namespace {

constexpr std::size_t question_head = 8 + 4 + 4 + 1 + 2;

}  // namespace

std::string encode(const HomeQuestion& question) {
    std::string out;
    append_le(out, question.id, 8);
    append_le(out, question.uid, 4);
    append_le(out, question.gid, 4);
    append_le(out, question.assigned ? 1 : 0, 1);
    append_le(out, question.local.size(), 2);
    return out.append(question.local).append(question.user);
}

std::optional<HomeQuestion> decode_home_question(std::string_view packet) {
    if (packet.size() < question_head) return std::nullopt;
    HomeQuestion question;
    question.id = get_le(packet, 0, 8);
    question.uid = static_cast<uid_t>(get_le(packet, 8, 4));
    question.gid = static_cast<gid_t>(get_le(packet, 12, 4));
    const std::uint64_t assigned = get_le(packet, 16, 1);
    const std::size_t length = get_le(packet, 17, 2);
    if (assigned > 1 || packet.size() - question_head < length) return std::nullopt;
    question.assigned = assigned == 1;
    question.local = packet.substr(question_head, length);
    question.user = packet.substr(question_head + length);
    return question;
}

std::string encode_user_question(std::uint64_t id, std::string_view user) {
    std::string out;
    append_le(out, id, 8);
    return out.append(user);
}

std::optional<UserQuestion> decode_user_question(std::string_view packet) {
    if (packet.size() < 8 || packet.back() != '\0') return std::nullopt;
    auto user = decode_user(packet.substr(8, packet.size() - 9), "");
    if (!user) return std::nullopt;
    return UserQuestion{get_le(packet, 0, 8), *std::move(user)};
}

std::string encode(const HomeAnswer& answer) {
    std::string out;
    append_le(out, answer.id, 8);
    return out += static_cast<char>(answer.answer);
}

std::optional<HomeAnswer> decode_home_answer(std::string_view packet) {
    if (packet.size() != home_answer_size) return std::nullopt;
    const auto answer = decode_recipient_answer(packet[8]);
    if (!answer) return std::nullopt;
    return HomeAnswer{get_le(packet, 0, 8), *answer};
}

}  // namespace relais::local
