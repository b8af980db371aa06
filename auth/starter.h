// The half of qmail-authd that starts others. It is root (or the instance's one user), reads questions of
// one size from the other half and nothing else, and forks a process for each, which becomes who its work
// needs: checks of hashes qmailh, a validator of tokens qmailv. PAM, password programs and Dovecot need root.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>

#include "auth/pam.h"
#include "auth/program.h"
#include "auth/question.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "control/home.h"
#include "control/owners.h"

namespace relais::auth {

struct HelperSettings {
    PamSettings pam;
    ProgramSettings program;    // logins that users/passwd does not know
    ProgramSettings validator;  // bearer tokens
    std::string dovecot;        // a socket; empty: it is not asked
    bool has(Helper helper) const;
};

class Starter {
  public:
    // channel: make_packet_pair. The loop is stopped when the other half has gone. Throws Error.
    Starter(EventLoop& loop, Fd channel, control::Home home, const control::Owners& owners,
            HelperSettings settings);

  private:
    void read_question();
    void start(const Question& question, int output);
    [[noreturn]] void work(const Question& question, int output, pid_t parent) const;
    Answer ask(const Question& question) const;
    void reap();

    EventLoop& loop_;
    Fd channel_;
    control::Home home_;
    const control::Owners& owners_;
    HelperSettings settings_;
    std::set<pid_t> children_;
};

// The other half's end of the channel. False if nothing was started: too much is under way, or a field is too
// long.
bool start_helper(int channel, const Question& question, int output);

}  // namespace relais::auth
