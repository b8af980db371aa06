// qmail-qread lists the messages in the queue of $QMAILHOME and their recipients, in the classic form, oldest
// first:
//
//   26 Sep 1995 04:46:54 GMT  #ID  BYTES  <sender> [ bouncing]
//   [  done]TAB(local|remote)TABrecipient
//
// A message is bouncing when a recipient has failed; that recipient is done. It only reads. For root, or the
// one user of a user instance.
//
// Exit codes: 0 listed; 100 not permitted; 111 there is no queue, or it cannot be read.

#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/time.h"
#include "control/tool.h"
#include "queue/change.h"
#include "queue/describe.h"

namespace relais::queue {
namespace {

std::string entry(const SeenMessage& seen, const send::RewriteRules& rules) {
    const Envelope& envelope = seen.message.envelope;
    bool bouncing = false;
    std::string local;
    std::string remote;
    for (const Recipient& recipient : envelope.recipients) {
        bouncing = bouncing || recipient.mark == Mark::failed;
        const bool is_local = send::rewrite(rules, recipient.address).is_local();
        std::string& lines = is_local ? local : remote;
        lines.append(recipient.mark != Mark::to_do ? "  done" : "")
            .append(is_local ? "\tlocal\t" : "\tremote\t");
        lines.append(printable(recipient.address)).append("\n");
    }
    return date_gmt(seen.birth()) + " GMT  #" + std::to_string(seen.id()) + "  " +
           std::to_string(seen.message.message_size) + "  <" + printable(envelope.sender) + ">" +
           (bouncing ? " bouncing" : "") + "\n" + local + remote;
}

int list(const Arguments&) {
    const auto home = control::Home::from_environment();
    const send::RewriteRules rules = read_rules(home);
    std::string text;
    try {
        select(home, {}, [&](const SeenMessage& seen) {
            if (seen.damaged) {
                log_line("warning: message " + std::to_string(seen.id()) +
                         " is damaged, or still being received");
                return true;
            }
            text += entry(seen, rules);
            if (text.size() < io_buffer_size) return true;
            write_all(STDOUT_FILENO, text, Deadline::never());
            text.clear();
            return true;
        });
        write_all(STDOUT_FILENO, text, Deadline::never());
    } catch (const Error& error) {
        // Whoever reads a pipe has seen enough.
        if (error.number() == EPIPE) return 0;
        throw_helpfully(home, error);
    }
    return 0;
}

}  // namespace
}  // namespace relais::queue

int main(int argc, char** argv) {
    return relais::control::run_tool("qmail-qread", argc, argv, relais::queue::list);
}
