// How a qmail-send follows another one: qmail-start's part. The one that runs is asked to hand over; what its
// spawners still have under way is asked of them, by sockets/lspawn.N and rspawn.N, where each of them
// listens as long as it lives.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "control/home.h"

namespace relais::start {

// Asks a qmail-send that still runs, if there is one, to leave what is under way to the next. To be called
// before the socket "send-control" is made anew. Never throws: one that cannot be asked keeps the instance
// lock until its deliveries end.
void ask_for_handover(const control::Home& home);

// The channels of all spawners that live, each told that it has an heir by that.
struct RetiredSpawners {
    std::string letters;  // l: qmail-lspawn, r: qmail-rspawn
    std::vector<Fd> channels;
};
// The caller has the instance lock. Removes the sockets of those that have gone. Throws Error.
RetiredSpawners connect_to_spawners(const control::Home& home);

// The socket where a new spawner is asked; letter as above. Throws Error.
Fd listen_for_heirs(const control::Home& home, char letter);

}  // namespace relais::start
