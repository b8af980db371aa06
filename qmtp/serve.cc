#include "qmtp/serve.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/owners.h"
#include "opensmtp/entry.h"
#include "policy/policy.h"

namespace relais::qmtp {

int serve_client(const control::Home& home,
                 const std::function<void(const smtpd::Settings& settings, const policy::Client& client,
                                          const OpenSink& open_sink)>& serve) {
    // Other processes of this user must not look into the memory of this one.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (::geteuid() == 0) control::become(control::Owners::read(home), control::Role::qmaild);
    const smtpd::Settings settings = smtpd::Settings::read(home);
    opensmtp::Moment::now();  // the boot id is not to be had later
    // A program that $QMAILQUEUE names would be confined too.
    if (std::getenv("QMAILQUEUE") == nullptr)
        control::enter(control::qmtpd_cage, home, policy::Policy::readable_places(home));
    try {
        serve(settings, policy::Client::from_environment(), [&home] { return smtpd::open_queue(home); });
    } catch (const Error& error) {
        const bool gone = error.number() == EPIPE || error.number() == ECONNRESET;
        if (gone) return static_cast<int>(Exit::success);
        throw;
    }
    return static_cast<int>(Exit::success);
}

}  // namespace relais::qmtp
