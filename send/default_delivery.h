// control/defaultdelivery: what users without a .qmail file get. qmail-start hands it on; tools show it.
#pragma once

#include <string>

#include "control/home.h"

namespace relais::send {

// The whole file without trailing blanks, "./Maildir/" if there is none. Throws Error.
std::string read_default_delivery(const control::Home& home);

}  // namespace relais::send
