#include "pop3/mailbox.h"

#include <unistd.h>

#include <optional>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "control/cages.h"
#include "pop3/session.h"
#include "pop3/settings.h"

namespace relais::pop3 {

void serve_mailbox(const control::Home& home, const std::string& directory) {
    const auto timeout = session_timeout(home);
    const bool utf8 = offers_utf8(home);
    control::enter(control::pop3d_cage, home, {directory});
    std::optional<Maildir> maildir;
    const std::string user = safe_for_log(environment("USER", "unknown"));
    try {
        maildir.emplace(directory);
    } catch (const Error& error) {
        log_line("refused " + user + ": " + error.what());
        return write_all(STDOUT_FILENO, "-ERR [SYS/PERM] this user has no mailbox that can be read\r\n",
                         Deadline::in(timeout));
    }
    log_line("login " + user + " from " + safe_for_log(environment("TCPREMOTEIP", "unknown")) + ": " +
             std::to_string(maildir->messages().size()) + " messages");
    Session session(STDIN_FILENO, STDOUT_FILENO, *maildir, timeout);
    if (utf8) session.offer_utf8();
    session.run();
}

}  // namespace relais::pop3
