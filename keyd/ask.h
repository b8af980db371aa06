// One question to qmail-keyd and its answer, over a connection that is kept.
#pragma once

#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/fd.h"

namespace relais::keyd {

// request: a body (keyd/protocol.h, keyd/mail_protocol.h), answered with one. fd: the connection there is, or
// none; one that died, as it does when qmail-keyd was started anew, is replaced. Throws Error: there is no
// qmail-keyd, it said no, or the deadline passed.
std::string ask(Fd& fd, const std::string& socket, std::string_view request, Deadline deadline);

}  // namespace relais::keyd
