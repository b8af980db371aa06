// The text of a message in the queue, for people who look at it.
#pragma once

#include <string>

#include "queue/store.h"

namespace relais::queue {

// The Subject field on one line, as it was written; empty if there is none in the first 64 KiB, or if the
// message is gone. Throws Error.
std::string subject_of(const Store& store, const StoredMessage& message);

// Writes the message to standard output: as it is, or, for a terminal, so that it does it no harm. Throws
// Error.
void print_message(const Store& store, const StoredMessage& message, bool for_terminal);

}  // namespace relais::queue
