// All milters of control/milters in one SMTP session, in their order: each sees what the one before it left.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "milter/conversation.h"

namespace relais::milter {

class Chain {
  public:
    using Log = std::function<void(const std::string& line)>;

    // directory: of messages that wait. Borrows the resolver.
    Chain(std::vector<control::Milter> milters, net::Resolver& resolver, std::string directory, Log log);
    ~Chain();
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;

    void begin_transaction(const Facts& session, Facts mail);
    // Where the milters let it pass it is one of the message's.
    Verdict recipient(const RecipientQuestion& question, Deadline deadline);
    void hide(std::string_view field) { message_.hide(field); }
    // Never throws: end() tells.
    void add_text(std::string_view text);
    Verdict end(Deadline deadline);
    // After end() has let it pass.
    const Message& message() const { return message_; }
    Outcome outcome() const;

  private:
    struct Member {
        Conversation conversation;
        bool begun = false;                  // it was told of the sender
        std::optional<Verdict> of_sender{};  // what it says of client and sender, or of all while it is gone
        bool absent = false;                 // it has no part in this transaction
    };

    void begin(Member& member, Deadline deadline);
    // What ask says, or what becomes of the mail where the milter is gone.
    template <class Ask>
    std::optional<Verdict> ask(Member& member, Ask ask);
    std::optional<Verdict> without(Member& member, const std::string& why);
    void note_changes(const Member& member, const Message& before);

    std::list<Member> members_;
    std::string directory_;
    Log log_;
    Facts session_;
    Facts mail_;
    Message message_;
    std::optional<Verdict> discarded_{};
    std::optional<Verdict> lost_{};  // a milter went when it had let recipients pass
    std::string trouble_{};          // with the text
    bool too_large_ = false;
    std::string changes_{};
};

}  // namespace relais::milter
