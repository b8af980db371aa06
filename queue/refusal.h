// How qmail-queued says no before it has read a submission.
#pragma once

#include <span>
#include <string_view>

#include "base/deadline.h"
#include "queue/protocol.h"

namespace relais::queue {

// Answers a connection that has not been read to its end; what has come of it is thrown away, and no more is
// taken. The client reads the answer also when it is still writing. Never waits. The caller closes.
void refuse(int connection, SubmitCode code, std::string_view text = {});

// Until the deadline, refuses every connection to these listening sockets, which are non-blocking afterwards.
// Comes back early when no connection can be accepted (no descriptor is left). Throws Error.
void refuse_for(std::span<const int> listeners, SubmitCode code, Deadline deadline);

}  // namespace relais::queue
