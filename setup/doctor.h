// A look at a whole instance: files, settings, processes, ports, disk, names. Says what to do.
#pragma once

#include "setup/layout.h"

namespace relais::setup {

// Prints a line for each thing looked at. 0 if all is well, 1 otherwise. Changes nothing.
int doctor(const Plan& plan);

}  // namespace relais::setup
