// qmail-summary sends the postmaster a summary of the mail by the day or week: how much came and went beside
// the period before, who was refused and why, slow destinations, accounts that send unusually, certificates
// that end, the disk.
//
//   qmail-summary --due      sends it if a period has ended since the last one; qmail-console asks so every few
//                            minutes, a timer of the system may
//   qmail-summary --print    prints what it would say now
//
// Trust: run by root or the instance's one user. What roles and strangers wrote is read by processes that
// have become qmailm and qmailt in their cages; this one takes numbers from the first and lines of text from
// the second. users/summary, root's own, has what was counted when the period began.
//
// Inputs: control/summary, metrics/, trace/, certificates, users/summary. Exit codes: 0 done, or nothing is
// due; 100 wrong usage or settings; 111 temporary: it is tried again an hour later.
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "control/tool.h"
#include "summary/due.h"

namespace {

using namespace relais;

// All of it, or somebody has taken over a process that reads.
constexpr unsigned most_seconds = 1200;
static_assert(most_seconds < summary::retry_seconds, "two would be at it");

int work(const Arguments& arguments) {
    const auto home = control::Home::from_environment();
    ::alarm(most_seconds);
    if (arguments == Arguments{"--due"}) {
        summary::send_if_due(home);
        return 0;
    }
    if (arguments == Arguments{"--print"}) {
        write_all(STDOUT_FILENO, summary::text_now(home), Deadline::never());
        return 0;
    }
    throw_permanent("usage: qmail-summary --print | --due");
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("qmail-summary", argc, argv, work);
}
