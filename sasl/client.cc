#include "sasl/client.h"

#include <sodium.h>

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "sasl/base64.h"
#include "sasl/messages.h"
#include "sasl/scram.h"

namespace relais::sasl {
namespace {

class PlainClient : public Client {
  public:
    explicit PlainClient(Secret message) : message_(std::move(message)) {}
    std::optional<Secret> begin() override {
        sent_ = true;
        return std::move(message_);
    }
    std::optional<Secret> respond(std::string_view) override { return std::nullopt; }
    bool complete() const override { return sent_; }

  private:
    Secret message_;
    bool sent_ = false;
};

// A refusal comes as a challenge with the reason in it; the answer is empty and brings the real refusal.
class BearerClient : public PlainClient {
  public:
    BearerClient(Secret message, std::string_view answer)
        : PlainClient(std::move(message)), answer_(answer) {}
    std::optional<Secret> respond(std::string_view) override {
        if (refused_) return std::nullopt;
        refused_ = true;
        return Secret(answer_);
    }
    bool complete() const override { return !refused_ && PlainClient::complete(); }

  private:
    std::string_view answer_;
    bool refused_ = false;
};

// The server's words are not looked at: some ask in other words than "Username:" and "Password:".
class LoginClient : public Client {
  public:
    LoginClient(std::string_view user, std::string_view password) : user_(user), password_(password) {}
    std::optional<Secret> begin() override { return std::nullopt; }
    std::optional<Secret> respond(std::string_view) override {
        ++asked_;
        if (asked_ > 2) return std::nullopt;
        return asked_ == 1 ? Secret(user_) : std::move(password_);
    }
    bool complete() const override { return asked_ == 2; }

  private:
    std::string user_;
    Secret password_;
    unsigned asked_ = 0;
};

class CramClient : public Client {
  public:
    CramClient(std::string_view user, std::string_view password) : user_(user), password_(password) {}
    std::optional<Secret> begin() override { return std::nullopt; }
    std::optional<Secret> respond(std::string_view challenge) override {
        if (answered_ || challenge.empty()) return std::nullopt;
        answered_ = true;
        return Secret(format_cram(user_, password_.view(), challenge));
    }
    bool complete() const override { return answered_; }

  private:
    std::string user_;
    Secret password_;
    bool answered_ = false;
};

class ScramClient : public Client {
  public:
    ScramClient(std::string_view user, std::string_view password, std::string header, std::string_view data,
                std::string nonce)
        : password_(password),
          header_(std::move(header)),
          bare_("n=" + encode_saslname(user) + ",r=" + nonce),
          nonce_(std::move(nonce)),
          binding_(encode_base64(header_ + std::string(data))) {}

    std::optional<Secret> begin() override {
        state_ = State::wants_salt;
        return Secret(header_ + bare_);
    }

    std::optional<Secret> respond(std::string_view challenge) override {
        const State state = std::exchange(state_, State::failed);
        if (state == State::wants_salt) return prove(challenge);
        if (state == State::wants_signature && shows_signature(challenge)) {
            state_ = State::complete;
            return Secret();
        }
        return std::nullopt;
    }

    bool complete() const override { return state_ == State::complete; }

  private:
    enum class State { fresh, wants_salt, wants_signature, complete, failed };

    std::optional<Secret> prove(std::string_view challenge) {
        const auto first = parse_server_first(challenge);
        if (!first || !first->nonce.starts_with(nonce_) || first->nonce.size() <= nonce_.size() ||
            first->iterations < scram_least_iterations)
            return std::nullopt;
        const std::string final_message = "c=" + binding_ + ",r=" + std::string(first->nonce);
        ScramProof proof = make_scram_proof(password_.view(), first->salt, first->iterations,
                                            bare_ + "," + std::string(challenge) + "," + final_message);
        server_signature_ = std::move(proof.server_signature);
        state_ = State::wants_signature;
        return Secret(final_message + ",p=" + encode_base64(proof.proof));
    }

    bool shows_signature(std::string_view challenge) const {
        if (!challenge.starts_with("v=")) return false;
        const auto shown = decode_base64(challenge.substr(2, challenge.find(',') - 2));
        return shown && shown->size() == server_signature_.size() &&
               ::sodium_memcmp(shown->data(), server_signature_.data(), shown->size()) == 0;
    }

    Secret password_;
    std::string header_;
    std::string bare_;
    std::string nonce_;
    std::string binding_;
    std::string server_signature_;
    State state_ = State::fresh;
};

std::unique_ptr<Client> make_scram(Mechanism mechanism, std::string_view user, std::string_view password,
                                   const ChannelBinding* binding, std::string nonce) {
    if (nonce.empty()) nonce = new_scram_nonce();
    if (mechanism == Mechanism::scram_sha_256)
        return std::make_unique<ScramClient>(user, password, binding != nullptr ? "y,," : "n,,", "",
                                             std::move(nonce));
    if (binding == nullptr) throw Error(Reaction::bug, "SCRAM-SHA-256-PLUS without a channel binding");
    return std::make_unique<ScramClient>(user, password, "p=" + binding->type + ",,", binding->data,
                                         std::move(nonce));
}

}  // namespace

std::unique_ptr<Client> make_client(Mechanism mechanism, std::string_view user, std::string_view password,
                                    const ChannelBinding* binding, std::string nonce) {
    switch (mechanism) {
        case Mechanism::plain:
            return std::make_unique<PlainClient>(format_plain(user, password));
        case Mechanism::login:
            return std::make_unique<LoginClient>(user, password);
        case Mechanism::cram_md5:
            return std::make_unique<CramClient>(user, password);
        case Mechanism::xoauth2:
            return std::make_unique<BearerClient>(format_xoauth2(user, password), "");
        case Mechanism::oauthbearer:
            return std::make_unique<BearerClient>(Secret::joined({"n,a=", encode_saslname(user), ",\x01",
                                                                  "auth=Bearer ", password, "\x01\x01"}),
                                                  "\x01");
        case Mechanism::scram_sha_256:
        case Mechanism::scram_sha_256_plus:
            break;
    }
    return make_scram(mechanism, user, password, binding, std::move(nonce));
}

}  // namespace relais::sasl
