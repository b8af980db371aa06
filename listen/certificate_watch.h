// The certificates of qmail-keyd, as a listener keeps them: qmail-keyd tells of each change, so that a
// connection costs no look at a file. As long as it does not run, what was known is used on; TLS without a
// certificate is not offered.
#pragma once

#include <functional>

#include "base/event_loop.h"
#include "control/home.h"
#include "keyd/server_tls.h"

namespace relais::listen {

class CertificateWatch {
  public:
    // Borrows all. To be made before confinement. Waits for the first answer, a few seconds at most: later
    // ones come by the loop.
    // changed: called whenever tls has changed since.
    CertificateWatch(EventLoop& loop, const control::Home& home, keyd::ServerTls& tls,
                     std::function<void()> changed);

  private:
    void connect(bool first);
    void take_certificate();
    void on_answer();
    void keys_are_away();

    EventLoop& loop_;
    const control::Home& home_;
    keyd::ServerTls& tls_;
    std::function<void()> changed_;
    Fd connection_;
    bool away_ = false;
    bool trouble_was_logged_ = false;
};

}  // namespace relais::listen
