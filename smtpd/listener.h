// The SMTP service of a listener (listen/service.h): what tcpserver does, for SMTP alone and without an
// exec for each connection.
#pragma once

#include <string_view>

#include "base/program.h"
#include "control/home.h"
#include "listen/options.h"

namespace relais::smtpd {

// What a client is told that a rule denies, and every client while rules or control files cannot be read.
inline constexpr std::string_view denied = "554 no SMTP service for your address (#5.7.1)";
inline constexpr std::string_view our_trouble = "421 unable to serve you now, try again later (#4.3.0)";

// Runs the keeper, or the acceptor that it has executed, until SIGTERM; returns the exit code. Throws Error
// when the sockets, rules or control files cannot be used.
int run_listener(const control::Home& home, const listen::Options& options, const Arguments& arguments);

}  // namespace relais::smtpd
