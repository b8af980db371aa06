// A name and a password for somebody else's server.
#pragma once

#include <memory>
#include <string>

#include "sasl/secret.h"

namespace relais::remote {

struct Credentials {
    std::string user;
    Secret password;  // empty where it is not to be kept
};

}  // namespace relais::remote
