#include "local/lookup_server.h"

#include "base/error.h"
#include "base/privilege.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "local/lookup.h"
#include "local/settings.h"
#include "local/user_database.h"

namespace relais::local {
namespace {

void look_up(UserFinder& finder, const control::Home& home, std::string_view local, LookupAnswer& answer) {
    const User user = finder.find(local);
    answer.uid = user.uid;
    answer.gid = user.gid;
    if (const auto limit = program_limit(home))
        answer.program_limit = static_cast<std::uint32_t>(limit->count());
    if (const auto limit = delivery_limit(home))
        answer.delivery_limit = static_cast<std::uint32_t>(limit->count());
    answer.text = encode_user(user);
    if (answer.text.size() > lookup_packet_limit - answer_head_size)
        throw Error(Reaction::temporary, "the user's fields are too long");
    answer.result = Lookup::found;
}

LookupAnswer answer_to(const LookupQuestion& question, UserFinder& finder, const control::Home& home) {
    LookupAnswer answer;
    answer.delivery = question.delivery;
    try {
        look_up(finder, home, question.local, answer);
    } catch (const std::exception& error) {
        answer.result = Lookup::trouble;
        answer.text = std::string("Temporary failure in qmail-lspawn. (#4.3.0)\n") + error.what();
    }
    return answer;
}

}  // namespace

int serve_lookups(const control::Home& home, int socket) {
    const control::Owner owner = control::Owners::read(home).of(control::Role::qmailp);
    drop_privilege(owner.uid, owner.gid);
    UserFinder finder(home);
    while (const auto packet = receive_packet(socket, lookup_packet_limit)) {
        const auto question = decode_question(packet->data);
        if (!question) throw Error(Reaction::bug, "qmail-lspawn sent a question that cannot be read");
        if (!send_packet(socket, encode(answer_to(*question, finder, home)))) break;
    }
    return static_cast<int>(Exit::success);
}

}  // namespace relais::local
