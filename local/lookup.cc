#include "local/lookup.h"

namespace relais::local {
namespace {

void put_number(std::string& out, std::uint64_t value, std::size_t octets) {
    for (std::size_t i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint64_t take_number(std::string_view& in, std::size_t octets) {
    std::uint64_t value = 0;
    for (std::size_t i = octets; i-- > 0;) value = value << 8 | static_cast<unsigned char>(in[i]);
    in.remove_prefix(octets);
    return value;
}

}  // namespace

std::string encode_question(std::uint64_t delivery, std::string_view local) {
    std::string out;
    put_number(out, delivery, question_head_size);
    return out.append(local);
}

std::string encode(const LookupAnswer& answer) {
    std::string out;
    put_number(out, answer.delivery, 8);
    out += static_cast<char>(answer.result);
    put_number(out, answer.assigned ? 1 : 0, 1);
    put_number(out, answer.uid, 4);
    put_number(out, answer.gid, 4);
    put_number(out, answer.program_limit, 4);
    put_number(out, answer.delivery_limit, 4);
    return out.append(answer.text);
}

std::optional<LookupQuestion> decode_question(std::string_view packet) {
    if (packet.size() < question_head_size) return std::nullopt;
    const std::uint64_t delivery = take_number(packet, question_head_size);
    return LookupQuestion{delivery, packet};
}

std::optional<LookupAnswer> decode_lookup_answer(std::string_view packet) {
    if (packet.size() < answer_head_size) return std::nullopt;
    LookupAnswer answer;
    answer.delivery = take_number(packet, 8);
    answer.result = static_cast<Lookup>(take_number(packet, 1));
    const std::uint64_t assigned = take_number(packet, 1);
    answer.assigned = assigned == 1;
    answer.uid = static_cast<uid_t>(take_number(packet, 4));
    answer.gid = static_cast<gid_t>(take_number(packet, 4));
    answer.program_limit = static_cast<std::uint32_t>(take_number(packet, 4));
    answer.delivery_limit = static_cast<std::uint32_t>(take_number(packet, 4));
    if (answer.result != Lookup::found && answer.result != Lookup::trouble) return std::nullopt;
    if (assigned > 1) return std::nullopt;
    answer.text = packet;
    return answer;
}

}  // namespace relais::local
