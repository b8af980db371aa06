// What qmail-authd has for logins, kept by the listener: no EHLO of its children asks for it, and none waits
// for a qmail-authd that hangs. qmail-authd closes the connection over which it was asked when its answer may
// be another; users/passwd.cdb is looked at for each client too, so that a first account counts for whoever
// connects after it.
#pragma once

#include "base/event_loop.h"
#include "control/control_file.h"
#include "control/home.h"
#include "smtpd/authority.h"

namespace relais::smtpd {

class KeptOffers {
  public:
    // Borrows both. To be made before confinement.
    KeptOffers(EventLoop& loop, const control::Home& home);
    // Before each client. Asks anew where that is due; waits for nothing.
    void look();
    const KnownOffers& known() const { return known_; }

  private:
    void ask();
    void take_answer();
    void ask_later();

    EventLoop& loop_;
    const control::Home& home_;
    control::ChangeWatch accounts_;
    Fd connection_;
    EventLoop::TimerId timer_ = 0;
    KnownOffers known_;
};

}  // namespace relais::smtpd
