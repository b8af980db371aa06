// Submission: how a message gets into the queue. A client connects to one of qmail-queued's stream sockets,
// writes one submission, reads one answer. The socket says who it is: queue-network (qmaild: smtpd),
// queue-bounce (qmails: bounces), queue-submit (everybody). The server trusts nothing in it but what the
// kernel says (SO_PEERCRED).
//
//   submission = header message-frames envelope-frames                                            version 1
//              | header message-frames envelope-frames extension-frames                           version 2
//   header     = "RQ" version flag              version: '1' or '2'
//                                               flag: 's' small: all of it follows at once; 'l' large: the server gives
//                                               it a process of its own, for it may come slowly
//                                               (lower case); 'S' 'L': the caller's process id names the message (qp)
//   frame      = length (4 octets, little-endian, at most 1 MiB) octets;  length 0 ends a group of frames
//   envelope   = F sender NUL (T recipient NUL)* NUL     as qmail-queue takes it on fd 1
//   extension  = what mail/envelope.h says of it; only qmail-smtpd's word counts for how the message came
//   answer     = code (1 octet: SubmitCode) id (8 octets, little-endian) text-length (2 octets) text
//
// Version 2 is said only for what needs it, and version 1 is accepted for good. A server that knows no
// version 2 answers its header with SubmitCode::bug; the client then says the submission again in version 1,
// without the extension. For a large one that would be too late: it asks before, with the header "RQ2?" on a
// connection of its own, which a server that knows it answers with SubmitCode::accepted, id 0.
//
// A connection that ends before the last frame is a message that was never sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/format.h"

namespace relais::queue {

inline constexpr std::size_t small_message_limit = 256 * 1024;
inline constexpr std::size_t frame_limit = std::size_t{1} << 20;
// Sender, recipients and their marks together.
inline constexpr std::size_t envelope_limit = std::size_t{64} << 20;

// The environment variable by which a $QMAILQUEUE program's qmail-queue learns the extension.
inline constexpr const char* extension_name = "QMAILENVELOPE";

// The one that names the session of qmail-smtpd's that the message came by: its accept line, the info line
// and the Received field say it too.
inline constexpr const char* session_name = "QMAILSESSION";

// qmail-queue's exit codes (the outside contract), also the code of an answer. 11 to 40 are permanent.
enum class SubmitCode : int {
    accepted = 0,
    address_too_long = 11,
    refused = 31,
    out_of_memory = 51,
    timed_out = 52,
    write_error = 53,
    read_error = 54,
    bad_configuration = 55,
    network = 56,
    no_home = 61,
    no_queue_directory = 62,
    cannot_create = 64,
    refused_for_now = 71,
    connect_timed_out = 72,
    connect_refused = 73,
    communication = 74,
    bug = 81,
    custom = 82,  // the text says it: first octet D (permanent) or Z (temporary)
    bad_envelope = 91,
    not_executable = 120,
};

bool is_permanent(SubmitCode code, std::string_view text);

// "qq write error or disk full (#4.3.0)" and so on: the text that follows 451 or 554 in an SMTP reply.
std::string submit_text(SubmitCode code, std::string_view custom_text);

struct SubmitAnswer {
    SubmitCode code = SubmitCode::bug;
    MessageId id = 0;
    std::string text;
};

std::string encode_answer(const SubmitAnswer& answer);
inline constexpr std::size_t answer_head_size = 11;  // what stands before the text
inline constexpr std::size_t answer_text_limit = 255;
// The head of an answer: code, id, and how long the text is that follows. Nothing if it is not exactly right.
struct AnswerHead {
    SubmitCode code = SubmitCode::bug;
    MessageId id = 0;
    std::size_t text_size = 0;
};
std::optional<AnswerHead> decode_answer_head(std::string_view head);

// The envelope as it crosses the socket and fd 1. Addresses must not hold NUL.
std::string encode_submitted_envelope(std::string_view sender, const std::vector<std::string>& recipients);

// Reads a submitted envelope piece by piece, as it comes on fd 1 or in frames, and says when it is complete
// or wrong.
class EnvelopeCheck {
  public:
    // Takes the next piece. Stops at the envelope's last NUL: consumed() tells how much of all pieces belongs
    // to it.
    void feed(std::string_view piece);
    bool complete() const { return complete_; }
    // bad_envelope, address_too_long, or refused (a line feed in an address, or more than envelope_limit
    // octets); accepted while nothing is wrong.
    SubmitCode problem() const { return problem_; }
    std::uint64_t consumed() const { return consumed_; }
    // So far.
    std::size_t recipients() const { return recipients_; }

  private:
    void take_letter(char letter);
    std::size_t take_address(std::string_view piece);

    bool in_address_ = false;
    bool sender_seen_ = false;
    bool complete_ = false;
    SubmitCode problem_ = SubmitCode::accepted;
    std::size_t address_octets_ = 0;
    std::size_t recipients_ = 0;
    std::uint64_t consumed_ = 0;
};

}  // namespace relais::queue
