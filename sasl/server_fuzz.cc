// Each mechanism's server with a client that says anything and an authority that knows somebody. The first
// octet is the mechanism, the second one whether a response came with the command; messages end with a 0xff.
// What must be true: nobody is logged in whom the authority has not called right, and the dialogue ends.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "sasl/messages.h"
#include "sasl/scram.h"
#include "sasl/server.h"

namespace {

using namespace relais;
using namespace relais::sasl;

constexpr std::array mechanisms = {Mechanism::plain,
                                   Mechanism::login,
                                   Mechanism::cram_md5,
                                   Mechanism::scram_sha_256,
                                   Mechanism::scram_sha_256_plus,
                                   Mechanism::xoauth2,
                                   Mechanism::oauthbearer};

// anna, with the password "p".
class OneUser : public Authority {
  public:
    Verdict check_password(std::string_view user, std::string_view password) override {
        return verdict(user == "anna" && password == "p");
    }
    Verdict check_cram(std::string_view user, std::string_view challenge, std::string_view digest) override {
        return verdict(format_cram("anna", "p", challenge) == std::string(user) + " " + std::string(digest));
    }
    Salt find_salt(std::string_view user) override {
        return {user != "away", verifier_.salt, verifier_.iterations};
    }
    Verdict check_scram(std::string_view user, std::string_view messages, std::string_view proof) override {
        Verdict result = verdict(user == "anna" && scram_proof_fits(verifier_, messages, proof));
        if (result.result == Result::right) result.text = scram_server_signature(verifier_, messages);
        return result;
    }
    Verdict check_token(Mechanism, std::string_view, std::string_view token) override {
        return verdict(token == "token");
    }
    bool said_right = false;

  private:
    Verdict verdict(bool right) {
        said_right = said_right || right;
        return right ? Verdict{Result::right, "anna@example.org"} : Verdict{Result::refused, "", "no"};
    }
    ScramVerifier verifier_ = make_scram_verifier("p", "saltsalt", 4096);
};

std::optional<std::string_view> next(std::string_view& input) {
    if (input.empty()) return std::nullopt;
    const std::size_t end = std::min(input.find('\xff'), input.size());
    const std::string_view message = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return message;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size < 2) return 0;
    std::string_view input(reinterpret_cast<const char*>(bytes) + 2, size - 2);
    static OneUser authority;
    authority.said_right = false;
    ServerContext context{"mail.example.org", {{"tls-exporter", std::string(32, 'b')}}, "nonce"};
    if ((bytes[1] & 2) != 0) context.bindings.clear();
    const auto server = make_server(mechanisms[bytes[0] % mechanisms.size()], authority, context);
    Server::Step step = server->begin((bytes[1] & 1) != 0 ? next(input) : std::nullopt);
    for (int turns = 0; step.next == Server::Next::challenge; ++turns) {
        if (turns > 4) std::abort();
        const auto message = next(input);
        if (!message) return 0;
        step = server->respond(*message);
    }
    const bool right = step.next == Server::Next::right;
    if (right && (!authority.said_right || server->account() != "anna@example.org")) std::abort();
    if (!right && !server->account().empty()) std::abort();
    return 0;
}
