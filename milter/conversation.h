// One milter in one SMTP session: connects to it, tells it what the client says, and takes its answers.
// docs/internals.md draws the states.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/milters.h"
#include "milter/message.h"
#include "milter/protocol.h"
#include "milter/wire.h"
#include "net/resolver_protocol.h"

namespace relais::milter {

class Conversation {
  public:
    // Borrows the resolver.
    Conversation(control::Milter milter, net::Resolver& resolver)
        : milter_(std::move(milter)), resolver_(resolver) {}

    const control::Milter& milter() const { return milter_; }

    // Each of these gives a verdict, or nothing if the milter has no objection. All of them throw Error when
    // it is gone, hangs, or breaks the protocol; the connection is closed then, and begin() makes another.

    // Connects, agrees with it on what is said, and takes leave: for who wants to know whether it is there.
    void reach(Deadline deadline);
    // A transaction begins: connects, and says who the client is, where that is not done yet.
    std::optional<Verdict> begin(const Facts& session, const Facts& mail, Deadline deadline);
    std::optional<Verdict> recipient(std::string_view address, std::string_view parameters,
                                     Deadline deadline);
    // Shows it the message, and changes that as it says. Where there is a verdict nothing has been changed.
    std::optional<Verdict> judge(Message& message, Deadline deadline);
    // It has no part in this transaction any more, whatever it was.
    void leave_transaction();
    // The session has ended. Waits for nothing.
    void quit();

  private:
    // closed -> greeted -> in_mail -> done; refused and aside last for the session.
    enum class State {
        closed,
        greeted,  // it knows the client
        in_mail,  // ... and the sender
        done,     // it wants to know no more of this transaction
        aside,    // ... of this session
        refused,  // it wants no mail from this client
    };

    void connect(Deadline deadline);
    void negotiate(Deadline deadline);
    std::optional<Verdict> greet(const Facts& session, Deadline deadline);
    // Sends a command with its macros, and has the answer if it gives one to this.
    std::optional<Verdict> tell(Command command, const std::string& packet, const Macros& macros,
                                std::uint32_t unwanted, std::uint32_t mute, Deadline deadline);
    std::optional<Verdict> tell_header(const Message& message, Deadline deadline);
    std::optional<Verdict> tell_body(const Message& message, Deadline deadline);
    std::optional<Verdict> take_changes(Message& message, Deadline deadline);
    std::optional<Verdict> verdict_of(const Reply& reply);
    void note_accepted();
    Verdict refusal(std::string reply) const {
        return {Verdict::Kind::refuse, std::move(reply), milter_.name, stage_};
    }
    void send(std::string_view octets, Deadline deadline);
    std::string read_packet(Deadline deadline);
    Reply read_reply(Deadline deadline);
    bool wants(std::uint32_t unwanted) const { return (agreed_.steps & unwanted) == 0; }
    Deadline patience(Deadline deadline) const { return earlier(deadline, Deadline::in(milter_.reply)); }

    control::Milter milter_;
    net::Resolver& resolver_;
    State state_ = State::closed;
    Fd fd_;
    Negotiated agreed_{};
    std::optional<Verdict> session_verdict_{};
    std::string id_{};     // of the transaction, for macros
    std::string stage_{};  // for the log: "at RCPT"
    bool skip_ = false;    // it has seen enough of the body
};

}  // namespace relais::milter
