// The server's side of a login: a mechanism as a state machine over decoded messages, which knows no
// password. Whether what the client says is right is asked of an Authority (for qmail-smtpd: qmail-authd).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sasl/mechanism.h"
#include "sasl/secret.h"

namespace relais::sasl {

// Who knows whether a login is right. All of it came from the network. None of these throws.
class Authority {
  public:
    enum class Result { right, refused, temporary };
    struct Verdict {
        Result result = Result::temporary;
        std::string account;  // right: the account in its one spelling
        std::string text =
            {};  // why not, for the log; of check_scram, when right, the server's signature (octets)
    };
    struct Salt {
        bool known = false;  // false: it cannot be told now
        std::string salt;    // octets
        unsigned iterations = 0;
    };

    virtual ~Authority() = default;
    virtual Verdict check_password(std::string_view user, std::string_view password) = 0;
    virtual Verdict check_cram(std::string_view user, std::string_view challenge,
                               std::string_view digest) = 0;
    // Answers for users that do not exist too, in a way that does not tell.
    virtual Salt find_salt(std::string_view user) = 0;
    // messages as in scram_proof_fits (sasl/scram.h); proof in octets.
    virtual Verdict check_scram(std::string_view user, std::string_view messages, std::string_view proof) = 0;
    virtual Verdict check_token(Mechanism mechanism, std::string_view user, std::string_view token) = 0;
};

class Server {
  public:
    enum class Next {
        challenge,  // send text, hand over what comes back
        right,      // the client is account()
        refused,    // it is not who it says
        malformed,  // its message is none of this mechanism
        temporary,  // it cannot be told now
    };
    struct Step {
        Next next;
        std::string text = {};  // the challenge, or what the log says beside the end
    };

    virtual ~Server() = default;
    // Begins with what came with the command; nothing if nothing did (an empty response is not nothing).
    // Throws Error.
    virtual Step begin(std::optional<std::string_view> initial) = 0;
    // Takes the answer to a challenge. Throws Error.
    virtual Step respond(std::string_view message) = 0;

    // As the client named itself, and the account when it was right.
    const std::string& user() const { return user_; }
    const std::string& account() const { return account_; }

  protected:
    Step step_of(Authority::Verdict verdict, std::string_view authorization);

    std::string user_;
    std::string account_;
};

struct ServerContext {
    std::string host;                        // stands in CRAM-MD5's challenge
    std::vector<ChannelBinding> bindings{};  // of the TLS connection; empty: none, and no -PLUS is offered
    std::string nonce{};                     // for tests; empty draws one
};

// Borrows the authority. What a client asks to act as (an authorization identity) must be the account itself.
std::unique_ptr<Server> make_server(Mechanism mechanism, Authority& authority, ServerContext context);

// Whether an authorization identity means the account; an empty one does. "anna%example.org" and "Anna" (of
// the account's own domain) mean anna@example.org.
bool means_account(std::string_view authorization, std::string_view account);

}  // namespace relais::sasl
