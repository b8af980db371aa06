#include "local/lookup_server.h"

#include "base/error.h"
#include "base/packet_batch.h"
#include "base/privilege.h"
#include "base/program.h"
#include "control/directory_watch.h"
#include "control/watched.h"
#include "local/lookup.h"
#include "local/settings.h"
#include "local/user_database.h"

namespace relais::local {
namespace {

constexpr std::size_t questions_at_once = 32;

// What answers are made of: looked at again only when something has changed in users/ or control/.
class Answers {
  public:
    explicit Answers(const control::Home& home)
        : watch_({home.path("users"), home.path("control")}),
          finder_(home),
          program_limit_(home, [home] { return program_limit(home); }),
          delivery_limit_(home, [home] { return delivery_limit(home); }) {}

    // To be called before the answers to questions that came together.
    void look() { watch_.look(); }
    LookupAnswer answer_to(const LookupQuestion& question) {
        LookupAnswer answer;
        answer.delivery = question.delivery;
        try {
            look_up(question.local, answer);
        } catch (const std::exception& error) {
            answer.result = Lookup::trouble;
            answer.text = std::string("Temporary failure in qmail-lspawn. (#4.3.0)\n") + error.what();
        }
        return answer;
    }

  private:
    void look_up(std::string_view local, LookupAnswer& answer) {
        FoundBy by;
        const User user = finder_.find(local, &by);
        answer.assigned = by.step == FoundBy::Step::assign;
        answer.uid = user.uid;
        answer.gid = user.gid;
        if (const auto limit = program_limit_.get())
            answer.program_limit = static_cast<std::uint32_t>(limit->count());
        if (const auto limit = delivery_limit_.get())
            answer.delivery_limit = static_cast<std::uint32_t>(limit->count());
        answer.text = encode_user(user);
        if (answer.text.size() > lookup_packet_limit - answer_head_size)
            throw Error(Reaction::temporary, "the user's fields are too long");
        answer.result = Lookup::found;
    }

    control::DirectoryWatch watch_;
    UserFinder finder_;
    control::Watched<std::optional<Seconds>> program_limit_;
    control::Watched<std::optional<Seconds>> delivery_limit_;
};

}  // namespace

int serve_lookups(const control::Home& home, int socket) {
    const control::Owner owner = control::Owners::read(home).of(control::Role::qmailp);
    drop_privilege(owner.uid, owner.gid);
    Answers answers(home);
    PacketReader questions(lookup_packet_limit, questions_at_once);
    PacketWriter out;
    while (!questions.closed() && !out.gone()) {
        const auto packets = questions.read(socket);
        answers.look();
        for (const PacketReader::Packet& packet : packets) {
            const auto question = decode_question(packet.data);
            if (!question) throw Error(Reaction::bug, "qmail-lspawn sent a question that cannot be read");
            out.put(encode(answers.answer_to(*question)));
        }
        out.flush(socket);
    }
    return static_cast<int>(Exit::success);
}

}  // namespace relais::local
