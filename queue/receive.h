// One submission, from the first frame to the durable message.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>

#include "base/deadline.h"
#include "base/unix_socket.h"
#include "control/owners.h"
#include "queue/client.h"
#include "queue/disk_floor.h"
#include "queue/frame_reader.h"
#include "queue/message_writer.h"
#include "queue/protocol.h"

namespace relais::queue {

// Who submits, as trace field and envelope tell it.
struct Caller {
    std::uint32_t uid = 0;
    std::uint32_t pid = 0;  // 0 if its messages go by the id
    Origin origin = Origin::user;
    bool is_alias = false;
    bool tells_submitter = false;  // it is qmail-smtpd, or may as well be
};

// Whether that peer may submit by that door (everybody by submit; else the door's own user, or root).
bool may_enter(const control::Owners& owners, Door door, const Peer& peer);
// What the kernel says of the peer decides; in an instance of several users qmail's own users have their
// roles also when they run qmail-queue.
Caller caller_of(const control::Owners& owners, Door door, const Peer& peer, bool named_by_pid);

// "Received: (qmail N invoked by uid U); DATE\n", where N is the caller's pid or the id.
std::string trace_field(const Caller& caller, MessageId id, std::int64_t now);

struct Patience {
    Deadline all;
    std::chrono::milliseconds idle;  // between two arrivals
};

// An extension as it is stored: without what only qmail-smtpd may say, if the caller is somebody else.
// Nothing if it is none.
std::optional<std::string> checked_extension(std::string_view extension, std::size_t recipients,
                                             const Caller& caller);

// Reads the groups of a submission whose header has been taken and makes the message durable. The answer for
// the client: accepted with the id, or what was wrong with it or with us. Logs failures of the disk.
// timed_out and communication: the client was too slow, or went away. Throws nothing but bad_alloc.
// extended: an extension follows the envelope. is_full: asked each time the buffer is full; true ends it with
// write_error.
SubmitAnswer receive(FrameReader& input, const Caller& caller, MessageWriter& writer,
                     const Patience& patience, bool extended = false,
                     const std::function<bool()>& is_full = nullptr);

}  // namespace relais::queue
