// What a client says before anybody knows who it is. It is read by a child of qmail-popup that runs as qmaild
// and is confined; qmail-popup, which must be root, gets one record from it, name and secret, and the
// connection as it is then.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "control/home.h"

namespace relais::pop3 {

struct DialogueSettings {
    std::string host;
    std::string challenge;  // the time stamp of the greeting, with its brackets
    bool apop = false;      // the client is told it
    bool passwords = true;  // are taken in clear
    bool tls_first = false;
    bool utf8 = false;  // is offered
    std::chrono::seconds timeout{};
};

struct Dialogue {
    // "user NUL secret NUL"; nothing when the client is served: it has gone, or was told that this cannot be.
    std::optional<std::string> named;
    int status = 0;  // of the child, as an exit code
};

// What a password program takes (its descriptor 3): user, secret and challenge, each ended by a NUL.
inline constexpr std::size_t credentials_limit = 512;

// Speaks with the client on descriptors 0 and 1. These are a socket pair's end afterwards if the client
// speaks TLS. The child is believed nothing but the name and the secret. Throws Error.
Dialogue hold_dialogue(const control::Home& home, const DialogueSettings& settings);

}  // namespace relais::pop3
