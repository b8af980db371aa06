// The client's side of a login: a mechanism as a state machine over decoded messages. Whoever speaks the
// protocol around it (SMTP's AUTH, RFC 4954) writes base64 and lines:
//
//   auto client = sasl::make_client(mechanism, user, password, binding);
//   AUTH NAME [initial response, where begin() has one]
//   each 334: respond(challenge), its answer sent; nothing means that the server is not to be trusted: send "*"
//   235: the login is good only if complete() says so: a SCRAM server that cannot show its signature is an impostor
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sasl/mechanism.h"
#include "sasl/secret.h"

namespace relais::sasl {

class Client {
  public:
    virtual ~Client() = default;
    // What is sent with the command; nothing if the server speaks first. Once, before all else. Throws Error
    // (no memory).
    virtual std::optional<Secret> begin() = 0;
    // The answer to a challenge, which may be empty; nothing if the challenge is wrong, of whatever kind.
    // Throws Error.
    virtual std::optional<Secret> respond(std::string_view challenge) = 0;
    // True when nothing is missing: the whole dialogue was held, and the server has proved what it must.
    virtual bool complete() const = 0;
};

// user and password are copied. For XOAUTH2 and OAUTHBEARER the password is the token. binding is for
// SCRAM-SHA-256-PLUS, which needs it; with SCRAM-SHA-256, one given here says that the client could have
// bound ("y"), so that a server which was robbed of its -PLUS by somebody in between notices. nonce: for
// tests; empty draws one. Throws Error.
std::unique_ptr<Client> make_client(Mechanism mechanism, std::string_view user, std::string_view password,
                                    const ChannelBinding* binding = nullptr, std::string nonce = "");

}  // namespace relais::sasl
