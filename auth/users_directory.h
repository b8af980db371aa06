// users/, the directory of the files that say who there is: who changes one of them keeps the others out.
#pragma once

#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/fd.h"
#include "control/home.h"

namespace relais::auth {

// A lock on the directory, which stands for its files, for these are replaced at each change; it goes with
// the descriptor. Everybody may hold it who can read the directory: when the time is over this throws a
// temporary Error that says so.
Fd lock_users(const control::Home& home, Deadline patience = Deadline::in(Seconds(60)));

// A lock that one run of a program holds at a time: a file in users/ that is root's alone, for the directory
// itself anybody may lock. Nothing if another run has it. Throws Error.
std::optional<Fd> lock_run(const control::Home& home, const std::string& name);

// Gives a new file to whom the directory belongs to: root, who may write for an instance of one user, must
// not keep that user from reading it. Nothing for others than root. Throws Error.
void give_to_owner_of_users(const control::Home& home, int fd);

}  // namespace relais::auth
