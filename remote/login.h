// AUTH as a client (RFC 4954): which mechanisms may be used on this connection, in which order, and the
// dialogue.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "remote/credentials.h"
#include "remote/wire.h"
#include "sasl/mechanism.h"

namespace relais::remote {

enum class Channel {
    clear,      // everybody on the way reads it
    encrypted,  // with whoever answered
    verified,   // with the server that was meant
};

// Of what the server offers, what may be used, best first. On a verified connection the password itself may
// be shown, and comes before CRAM-MD5, which asks the server to keep it; on a clear one only if that is
// allowed by name.
std::vector<sasl::Mechanism> login_order(const std::vector<std::string>& offered, Channel channel,
                                         bool cleartext_password, bool can_bind);

struct LoginTerms {
    Channel channel = Channel::clear;
    bool cleartext_password = false;
    Seconds timeout{1200};                   // for each reply
    Deadline end = Deadline::never();        // of all of them
    std::optional<sasl::Mechanism> first{};  // to begin with, if it may be used at all
};

struct LoginResult {
    bool done = false;
    sasl::Mechanism mechanism{};  // that did it
    bool gave_way = false;        // another one was refused before
    bool refused = false;         // the server has judged, and the next try will hear the same
    // Otherwise: what is wrong, in words that continue "Connected to IP but"; and what the server said of it,
    // in which nothing of the password is.
    std::string complaint{};
    Reply reply{};
};

// Tries one mechanism after the other until the server is content. One that the server cannot use gives way
// to the next. So does one with which it refused the password (535), for a server may know it in another
// form; but only once: many refusals lock an account. Throws Error: the connection died before the server had
// judged.
LoginResult log_in(Wire& wire, const Credentials& credentials, const std::vector<std::string>& offered,
                   const LoginTerms& terms);

}  // namespace relais::remote
