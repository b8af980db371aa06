// The questions of keyd/mail_protocol.h, for a process of qmail-remote.
#pragma once

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"
#include "keyd/mail_protocol.h"

namespace relais::keyd {

class MailKeyClient {
  public:
    explicit MailKeyClient(control::Home home) : home_(std::move(home)) {}

    // Each asks over the connection there is, or a new one; a connection that died is replaced once. Throw
    // Error: there is no qmail-keyd, it said no, or the deadline passed.
    KeysFound find(const KeysWanted& wanted, Deadline deadline);
    std::string sign(const MailSigning& signing, Deadline deadline);

  private:
    std::string ask(const MailRequest& request, Deadline deadline);

    control::Home home_;
    Fd fd_;
};

}  // namespace relais::keyd
