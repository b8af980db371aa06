#include "local/lookup.h"

#include "base/error.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "local/settings.h"
#include "local/user_database.h"

namespace relais::local {
namespace {

constexpr std::size_t question_head = 8;
constexpr std::size_t answer_head = 8 + 1 + 3 * 4;

void put_number(std::string& out, std::uint64_t value, std::size_t octets) {
    for (std::size_t i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint64_t take_number(std::string_view& in, std::size_t octets) {
    std::uint64_t value = 0;
    for (std::size_t i = octets; i-- > 0;) value = value << 8 | static_cast<unsigned char>(in[i]);
    in.remove_prefix(octets);
    return value;
}

void look_up(UserFinder& finder, const control::Home& home, std::string_view local, LookupAnswer& answer) {
    const User user = finder.find(local);
    answer.uid = user.uid;
    answer.gid = user.gid;
    if (const auto limit = program_limit(home))
        answer.program_limit = static_cast<std::uint32_t>(limit->count());
    answer.text = encode_user(user);
    if (answer.text.size() > lookup_packet_limit - answer_head)
        throw Error(Reaction::temporary, "the user's fields are too long");
    answer.result = Lookup::found;
}

LookupAnswer answer_to(std::string_view question, UserFinder& finder, const control::Home& home) {
    LookupAnswer answer;
    answer.delivery = take_number(question, question_head);
    try {
        look_up(finder, home, question, answer);
    } catch (const std::exception& error) {
        answer.result = Lookup::trouble;
        answer.text = std::string("Temporary failure in qmail-lspawn. (#4.3.0)\n") + error.what();
    }
    return answer;
}

}  // namespace

std::string encode_question(std::uint64_t delivery, std::string_view local) {
    std::string out;
    put_number(out, delivery, question_head);
    return out.append(local);
}

std::string encode(const LookupAnswer& answer) {
    std::string out;
    put_number(out, answer.delivery, 8);
    out += static_cast<char>(answer.result);
    put_number(out, answer.uid, 4);
    put_number(out, answer.gid, 4);
    put_number(out, answer.program_limit, 4);
    return out.append(answer.text);
}

std::optional<LookupAnswer> decode_lookup_answer(std::string_view packet) {
    if (packet.size() < answer_head) return std::nullopt;
    LookupAnswer answer;
    answer.delivery = take_number(packet, 8);
    answer.result = static_cast<Lookup>(take_number(packet, 1));
    answer.uid = static_cast<uid_t>(take_number(packet, 4));
    answer.gid = static_cast<gid_t>(take_number(packet, 4));
    answer.program_limit = static_cast<std::uint32_t>(take_number(packet, 4));
    if (answer.result != Lookup::found && answer.result != Lookup::trouble) return std::nullopt;
    answer.text = packet;
    return answer;
}

int serve_lookups(const control::Home& home, const control::Owners& owners, int socket) {
    control::become(owners, control::Role::qmailp);
    UserFinder finder(home);
    while (const auto packet = receive_packet(socket, lookup_packet_limit)) {
        if (packet->data.size() < question_head)
            throw Error(Reaction::bug, "a question without its delivery");
        if (!send_packet(socket, encode(answer_to(packet->data, finder, home)))) break;
    }
    return static_cast<int>(Exit::success);
}

}  // namespace relais::local
