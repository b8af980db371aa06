// A whole session of qmail-popd, in a process of its own: from the greeting to QUIT, without another program.
#pragma once

#include "control/home.h"
#include "net/socket.h"

namespace relais::pop3 {

struct OwnSession {
    int connection;  // borrowed
    net::Endpoint client;
    bool tls_first = false;
    bool scarce = false;  // three quarters of the places are taken
};

// Called after a fork, as root (or as the one user of a user instance). This process reads nothing from the
// client before it has become the account's user: a confined child hears name and secret (dialogue.h), and
// qmail-authd judges them. open-smtpd, where there is one, is told of the login. Nothing that is open but the
// connection and standard error goes along.
[[noreturn]] void run_own_session(const control::Home& home, const OwnSession& session) noexcept;

}  // namespace relais::pop3
