// The keeper: holds the sockets of a listener, reads nothing from anybody, and starts the acceptor again
// when that has ended.
#pragma once

#include <functional>
#include <string_view>

#include "control/home.h"
#include "listen/options.h"

namespace relais::listen {

// Exit codes of an acceptor; every other end is trouble too.
inline constexpr int acceptor_wants_restart = 10;  // at once: it is old
inline constexpr int acceptor_saw_crash = 11;      // after a pause: a child died by a signal

// Forks the guardian of filters (filter_runner.h; program_variable is the service's), binds the sockets (as
// root where the port wants it), becomes qmaild and runs until SIGTERM; returns the exit code. The acceptor
// is the program's own file, executed with these arguments and --sockets. check: whether what the service
// reads can be read, asked once, rather than by each acceptor that cannot start. Throws Error when sockets or
// files cannot be used.
int run_keeper(std::string_view program, std::string_view program_variable, const control::Home& home,
               const Options& options, const Arguments& arguments, const std::function<void()>& check);

}  // namespace relais::listen
