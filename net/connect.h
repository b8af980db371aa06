// Connecting to a host that has addresses of both families (RFC 8305, simplified to one lane for each
// family).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/fd.h"
#include "net/socket.h"

namespace relais::net {

struct ConnectFailure {
    Endpoint endpoint;
    int error_number;               // ETIMEDOUT when it did not answer in time
    bool of_local_address = false;  // our own address cannot be used
};

// Our addresses for connections, one of each family; empty: the kernel's choice.
struct LocalBinding {
    std::string v4;
    std::string v6;
};

struct ConnectResult {
    Fd fd;  // non-blocking; not set when every endpoint failed
    Endpoint endpoint;
    std::vector<ConnectFailure> failures;
    std::vector<Endpoint> untried;   // left to try, if what was connected turns out to be of no use
    std::optional<Endpoint> slow{};  // had a head start and was overtaken
};

// Tries the endpoints in order, each for at most `timeout`; those of the family that does not come first
// start `head_start` later, or as soon as the first family has nothing left, and then run beside it. The
// first that connects wins. The others are closed and count as untried. Throws Error if the system refuses
// sockets.
ConnectResult connect_any(std::vector<Endpoint> endpoints, std::chrono::milliseconds timeout,
                          std::chrono::milliseconds head_start = std::chrono::milliseconds(300),
                          const LocalBinding& from = {});

}  // namespace relais::net
