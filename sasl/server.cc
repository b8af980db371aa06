#include "sasl/server.h"

#include <sodium.h>

#include <unistd.h>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "sasl/base64.h"
#include "sasl/messages.h"
#include "sasl/scram.h"

namespace relais::sasl {
namespace {

using Next = Server::Next;
using Step = Server::Step;

Step malformed() {
    return {Next::malformed};
}

class PlainServer : public Server {
  public:
    explicit PlainServer(Authority& authority) : authority_(authority) {}
    Step begin(std::optional<std::string_view> initial) override {
        return initial ? respond(*initial) : Step{Next::challenge};
    }
    Step respond(std::string_view message) override {
        const auto plain = parse_plain(message);
        if (!plain) return malformed();
        user_ = plain->user;
        return step_of(authority_.check_password(plain->user, plain->password), plain->authorization);
    }

  private:
    Authority& authority_;
};

class LoginServer : public Server {
  public:
    explicit LoginServer(Authority& authority) : authority_(authority) {}
    // Some clients send the user's name with the command.
    Step begin(std::optional<std::string_view> initial) override {
        return initial && !initial->empty() ? respond(*initial) : Step{Next::challenge, "Username:"};
    }
    Step respond(std::string_view message) override {
        if (message.empty() || message.find('\0') != std::string_view::npos) return malformed();
        if (user_.empty()) {
            user_ = message;
            return {Next::challenge, "Password:"};
        }
        return step_of(authority_.check_password(user_, message), "");
    }

  private:
    Authority& authority_;
};

class CramServer : public Server {
  public:
    CramServer(Authority& authority, const ServerContext& context)
        : authority_(authority),
          challenge_("<" + (context.nonce.empty() ? fresh() : context.nonce) + "@" + context.host + ">") {}
    // RFC 2195 and 4954: the server speaks first.
    Step begin(std::optional<std::string_view> initial) override {
        return initial ? malformed() : Step{Next::challenge, challenge_};
    }
    Step respond(std::string_view message) override {
        const auto cram = parse_cram(message);
        if (!cram) return malformed();
        user_ = cram->user;
        return step_of(authority_.check_cram(cram->user, challenge_, cram->digest), "");
    }

  private:
    static std::string fresh() {
        if (::sodium_init() < 0) throw Error(Reaction::temporary, "unable to initialise libsodium");
        return std::to_string(::getpid()) + "." + std::to_string(now_seconds()) + "." +
               std::to_string(::randombytes_random());
    }

    Authority& authority_;
    std::string challenge_;
};

class BearerServer : public Server {
  public:
    BearerServer(Mechanism mechanism, Authority& authority) : mechanism_(mechanism), authority_(authority) {}
    Step begin(std::optional<std::string_view> initial) override {
        return initial ? respond(*initial) : Step{Next::challenge};
    }
    Step respond(std::string_view message) override {
        if (refusal_) return *refusal_;  // whatever the client says to the error, RFC 7628, 3.2.3
        const bool google = mechanism_ == Mechanism::xoauth2;
        const auto bearer = google ? parse_xoauth2(message) : parse_oauthbearer(message);
        if (!bearer) return malformed();
        if (!google && !bearer->user.empty()) {
            const auto name = decode_saslname(bearer->user);
            if (!name) return malformed();
            user_ = *name;
        } else {
            user_ = bearer->user;
        }
        Step step = step_of(authority_.check_token(mechanism_, user_, bearer->token), "");
        if (step.next != Next::refused) return step;
        refusal_ = std::move(step);
        return {Next::challenge,
                google ? R"({"status":"401","schemes":"bearer"})" : R"({"status":"invalid_token"})"};
    }

  private:
    Mechanism mechanism_;
    Authority& authority_;
    std::optional<Step> refusal_;
};

class ScramServer : public Server {
  public:
    ScramServer(bool plus, Authority& authority, ServerContext context)
        : plus_(plus), authority_(authority), context_(std::move(context)) {}

    Step begin(std::optional<std::string_view> initial) override {
        return initial ? respond(*initial) : Step{Next::challenge};
    }

    Step respond(std::string_view message) override {
        switch (state_) {
            case State::first:
                return take_first(message);
            case State::proof:
                return take_proof(message);
            case State::done:
                break;
        }
        if (!message.empty()) return malformed();
        return {Next::right};
    }

  private:
    enum class State { first, proof, done };

    Step take_first(std::string_view message) {
        const auto first = parse_client_first(message);
        if (!first || plus_ != (first->binding == 'p')) return malformed();
        user_ = first->user;
        // Somebody in between has hidden our -PLUS from the client.
        if (first->binding == 'y' && !context_.bindings.empty())
            return {Next::refused, "the client was not told of SCRAM-SHA-256-PLUS"};
        binding_ = first->header;
        if (plus_) {
            const ChannelBinding* const binding = binding_named(first->binding_type);
            if (binding == nullptr) return malformed();
            binding_ += binding->data;
        }
        const Authority::Salt salt = authority_.find_salt(user_);
        if (!salt.known) return {Next::temporary, "the salt could not be asked for"};
        authorization_ = first->authorization;
        nonce_ = std::string(first->nonce) + (context_.nonce.empty() ? new_scram_nonce() : context_.nonce);
        const std::string answer = format_server_first(nonce_, salt.salt, salt.iterations);
        messages_ = std::string(first->bare) + "," + answer;
        state_ = State::proof;
        return {Next::challenge, answer};
    }

    Step take_proof(std::string_view message) {
        const auto proof = parse_client_final(message);
        if (!proof || proof->nonce != nonce_) return malformed();
        if (proof->binding != binding_) return {Next::refused, "bound to another connection"};
        messages_.append(",").append(proof->without_proof);
        Authority::Verdict verdict = authority_.check_scram(user_, messages_, proof->proof);
        const std::string signature = verdict.text;
        Step step = step_of(std::move(verdict), authorization_);
        if (step.next != Next::right) return step;
        state_ = State::done;
        return {Next::challenge, "v=" + encode_base64(signature)};
    }

    const ChannelBinding* binding_named(std::string_view type) const {
        for (const ChannelBinding& binding : context_.bindings)
            if (binding.type == type) return &binding;
        return nullptr;
    }

    bool plus_;
    Authority& authority_;
    ServerContext context_;
    State state_ = State::first;
    std::string authorization_;
    std::string binding_;   // what "c=" must be
    std::string nonce_;     // both
    std::string messages_;  // client-first-bare "," server-first [ "," client-final-without-proof ]
};

}  // namespace

Step Server::step_of(Authority::Verdict verdict, std::string_view authorization) {
    switch (verdict.result) {
        case Authority::Result::right:
            break;
        case Authority::Result::refused:
            return {Next::refused, std::move(verdict.text)};
        case Authority::Result::temporary:
            return {Next::temporary, std::move(verdict.text)};
    }
    if (!means_account(authorization, verdict.account))
        return {Next::refused, "not allowed to act as another user"};
    account_ = std::move(verdict.account);
    return {Next::right};
}

bool means_account(std::string_view authorization, std::string_view account) {
    if (authorization.empty() || equal_ignoring_case(authorization, account)) return true;
    const std::size_t at = account.rfind('@');
    if (at == std::string_view::npos) return false;
    std::size_t separator = authorization.rfind('@');
    if (separator == std::string_view::npos) separator = authorization.rfind('%');
    if (!equal_ignoring_case(authorization.substr(0, separator), account.substr(0, at))) return false;
    return separator == std::string_view::npos ||
           equal_ignoring_case(authorization.substr(separator + 1), account.substr(at + 1));
}

std::unique_ptr<Server> make_server(Mechanism mechanism, Authority& authority, ServerContext context) {
    switch (mechanism) {
        case Mechanism::plain:
            return std::make_unique<PlainServer>(authority);
        case Mechanism::login:
            return std::make_unique<LoginServer>(authority);
        case Mechanism::cram_md5:
            return std::make_unique<CramServer>(authority, context);
        case Mechanism::xoauth2:
        case Mechanism::oauthbearer:
            return std::make_unique<BearerServer>(mechanism, authority);
        case Mechanism::scram_sha_256:
            return std::make_unique<ScramServer>(false, authority, std::move(context));
        case Mechanism::scram_sha_256_plus:
            break;
    }
    return std::make_unique<ScramServer>(true, authority, std::move(context));
}

}  // namespace relais::sasl
