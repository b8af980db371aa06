// The sockets, pipes and channels between the programs of start/daemons.h, and these programs with the
// descriptors that their rows name.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/io.h"
#include "control/home.h"
#include "control/owners.h"
#include "start/daemons.h"
#include "start/supervisor.h"

namespace relais::start {

// One qmail-start at a time has the sockets. Throws Error; held until the descriptor is closed.
Fd lock_sockets(const control::Home& home);
// The instance lock, if it is free. Throws Error.
std::optional<Fd> take_instance_lock(const control::Home& home);

class Wiring {
  public:
    // Makes the listening sockets and the hint pipe. delivery: the default one, for qmail-lspawn. Throws
    // Error.
    Wiring(control::Home home, control::Owners owners, std::string delivery);

    // Those that live on when others end.
    std::vector<Program> services() const;
    // Those that start together, qmail-send first, beside what spawners of before still have. What is to be
    // closed when they have been started goes to ours. Throws Error.
    std::vector<Program> generation(Fd lock, std::vector<Fd>& ours) const;
    // Nothing in an instance of one user.
    std::optional<control::Owner> owner(control::Role role) const;

  private:
    using Supply = std::map<Given, int>;
    Program program(const Daemon& daemon, const Supply& supply) const;

    control::Home home_;
    control::Owners owners_;
    std::string delivery_;
    std::map<std::string_view, Fd> sockets_;
    Pipe hints_;
    Fd token_secret_;
};

}  // namespace relais::start
