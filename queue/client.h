// The client's side of a submission: for smtpd, inject, qmail-send (bounces) and qmail-queue itself. When
// $QMAILQUEUE is set, that program is run instead, with the message on fd 0, the envelope on fd 1 and its
// text on fd 6. What comes by the door "submit" while qmail-queued is away goes into the drop directory
// (drop.h), where there is one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "control/home.h"
#include "queue/protocol.h"

namespace relais::queue {

enum class Door { network, bounce, submit };

// One message on its way in. It is kept in memory up to small_message_limit and sent in one go; what grows
// beyond that streams to the server (or to $QMAILQUEUE) while it comes. Destroyed before finish: the message
// was never sent.
class Submission {
  public:
    // honour_qmailqueue: run $QMAILQUEUE if it is set (qmail-queue itself must not). named_by_pid: this
    // process's id is the message's qp in trace field and log (qmail-queue, which others start).
    Submission(const control::Home& home, Door door, Deadline deadline, bool honour_qmailqueue = true,
               bool named_by_pid = false);
    ~Submission();
    Submission(const Submission&) = delete;
    Submission& operator=(const Submission&) = delete;

    // Before anything else: the filter is not $QMAILQUEUE's, but the one that the runner at the other end of
    // this channel knows (filter_protocol.h). Borrowed.
    void use_runner(int channel);
    // Before the first octet: what the envelope says beside sender and recipients. A $QMAILQUEUE program gets
    // it in its environment, for qmail-queue. A qmail-queued that knows only version 1 does not get it.
    void begin(const mail::Envelope& envelope);
    // The same, as encode_extension has written it.
    void begin(std::string_view sender, std::string extension);
    // The session that a message came by, whatever else is said of it: for qmail-queue, which a filter has
    // called.
    void name_session(const std::string& session);
    // What names the session for a filter that stands before the network's door; "" where none does.
    const std::string& session() const;
    // Adds octets of the message. Never throws for a server that is away or a disk that is full: finish()
    // tells.
    void write(std::string_view data);
    // Ends the message, sends the envelope, waits for the answer. Accepted means: synced to disk, in the
    // queue or in the drop directory.
    SubmitAnswer finish(std::string_view sender, const std::vector<std::string>& recipients);
    // For an envelope already in the form of encode_submitted_envelope.
    SubmitAnswer finish_encoded(std::string_view envelope);
    // The number behind "qp" in a reply: the id, or the process id of the $QMAILQUEUE program.
    std::uint64_t qp() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace relais::queue
