#include "sasl/server.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "sasl/client.h"
#include "sasl/messages.h"
#include "sasl/scram.h"

namespace relais::sasl {
namespace {

using std::string_literals::operator""s;
using Next = Server::Next;

// Knows one user: anna, who is anna@example.org, with the password "pencil".
class OneUser : public Authority {
  public:
    Verdict check_password(std::string_view user, std::string_view password) override {
        return verdict(user == "anna" && password == "pencil");
    }
    Verdict check_cram(std::string_view user, std::string_view challenge, std::string_view digest) override {
        return verdict(format_cram("anna", "pencil", challenge) ==
                       std::string(user) + " " + std::string(digest));
    }
    Salt find_salt(std::string_view) override { return {!away, verifier.salt, verifier.iterations}; }
    Verdict check_scram(std::string_view user, std::string_view messages, std::string_view proof) override {
        Verdict result = verdict(user == "anna" && scram_proof_fits(verifier, messages, proof));
        if (result.result == Result::right) result.text = scram_server_signature(verifier, messages);
        return result;
    }
    Verdict check_token(Mechanism, std::string_view, std::string_view token) override {
        return verdict(token == "token");
    }

    ScramVerifier verifier = make_scram_verifier("pencil", "saltsalt", 4096);
    bool away = false;

  private:
    Verdict verdict(bool right) const {
        if (away) return {Result::temporary, ""};
        return right ? Verdict{Result::right, "anna@example.org"} : Verdict{Result::refused, "", "no"};
    }
};

struct Bound {
    const ChannelBinding* client = nullptr;
    std::vector<ChannelBinding> server;
};

// Lets our client and our server speak with each other.
Next converse(Mechanism mechanism, std::string_view password, const Bound& bound = {}) {
    OneUser authority;
    const auto client = make_client(mechanism, "anna", password, bound.client);
    const auto server = make_server(mechanism, authority, {"mail.example.org", bound.server});
    const auto initial = client->begin();
    Server::Step step = server->begin(initial ? std::optional(initial->view()) : std::nullopt);
    while (step.next == Next::challenge) {
        const auto answer = client->respond(step.text);
        if (!answer) return Next::malformed;
        step = server->respond(answer->view());
    }
    EXPECT_EQ(step.next == Next::right, client->complete() && server->account() == "anna@example.org");
    return step.next;
}

TEST(Server, OurClientLogsIn) {
    for (const Mechanism m :
         {Mechanism::plain, Mechanism::login, Mechanism::cram_md5, Mechanism::scram_sha_256})
        EXPECT_EQ(converse(m, "pencil"), Next::right) << name_of(m);
    for (const Mechanism m : {Mechanism::xoauth2, Mechanism::oauthbearer}) {
        EXPECT_EQ(converse(m, "token"), Next::right);
        EXPECT_EQ(converse(m, "pencil"), Next::refused);
    }
    for (const Mechanism m : {Mechanism::scram_sha_256}) EXPECT_EQ(converse(m, "Pencil"), Next::refused);
}

TEST(Server, ChannelBinding) {
    const ChannelBinding one{"tls-exporter", std::string(32, 'a')};
    const ChannelBinding other{"tls-exporter", std::string(32, 'b')};
    const ChannelBinding certificate{"tls-server-end-point", "c"};
    EXPECT_EQ(converse(Mechanism::scram_sha_256_plus, "pencil", {&one, {one, certificate}}), Next::right);
    EXPECT_EQ(converse(Mechanism::scram_sha_256_plus, "pencil", {&certificate, {one, certificate}}),
              Next::right);
    EXPECT_EQ(converse(Mechanism::scram_sha_256_plus, "pencil", {&one, {other}}), Next::refused);
    EXPECT_EQ(converse(Mechanism::scram_sha_256_plus, "pencil", {&certificate, {one}}), Next::malformed);
    // "y": the client could bind and was not told that we can.
    EXPECT_EQ(converse(Mechanism::scram_sha_256, "pencil", {&one, {one}}), Next::refused);
    EXPECT_EQ(converse(Mechanism::scram_sha_256, "pencil", {&one, {}}), Next::right);
    EXPECT_EQ(converse(Mechanism::scram_sha_256, "pencil", {nullptr, {one}}), Next::right);
}

TEST(Server, WrongMessages) {
    OneUser authority;
    for (const Mechanism m : {Mechanism::plain, Mechanism::cram_md5, Mechanism::scram_sha_256,
                              Mechanism::scram_sha_256_plus, Mechanism::xoauth2, Mechanism::oauthbearer})
        for (const std::string& text : {""s, "\0"s, "x"s, "n,,n=u,r="s, std::string(65536, 'u')}) {
            const auto server = make_server(m, authority, {"h"});
            (void)server->begin(std::nullopt);
            EXPECT_EQ(server->respond(text).next, Next::malformed) << name_of(m) << " " << text.size();
        }
    const auto login = make_server(Mechanism::login, authority, {"h"});
    (void)login->begin(std::nullopt);
    EXPECT_EQ(login->respond("").next, Next::malformed);
    EXPECT_EQ(make_server(Mechanism::cram_md5, authority, {"h"})->begin("tim x").next, Next::malformed);
}

TEST(Server, ScramNonceAndBindingMustFit) {
    OneUser authority;
    const auto start = [&] {
        auto server = make_server(Mechanism::scram_sha_256, authority, {"h", {}, "S"});
        EXPECT_EQ(server->begin("n,,n=anna,r=C").text, "r=CS,s=c2FsdHNhbHQ=,i=4096");
        return server;
    };
    const std::string proof(43, 'A');
    EXPECT_EQ(start()->respond("c=biws,r=CX,p=" + proof + "=").next, Next::malformed);
    EXPECT_EQ(start()->respond("c=eSws,r=CS,p=" + proof + "=").next, Next::refused);
    EXPECT_EQ(start()->respond("c=biws,r=CS,p=" + proof + "=").next, Next::refused);
}

TEST(Server, AwayIsTemporary) {
    OneUser authority;
    authority.away = true;
    EXPECT_EQ(make_server(Mechanism::plain, authority, {"h"})->begin("\0anna\0pencil"s).next,
              Next::temporary);
    EXPECT_EQ(make_server(Mechanism::scram_sha_256, authority, {"h"})->begin("n,,n=anna,r=C").next,
              Next::temporary);
}

TEST(Server, ActingAsAnother) {
    OneUser authority;
    for (const char* name : {"", "anna", "ANNA", "anna@example.org", "anna%Example.org"})
        EXPECT_TRUE(means_account(name, "anna@example.org")) << name;
    for (const char* name : {"bob", "anna@other.example", "anna@", "@example.org", "ann"})
        EXPECT_FALSE(means_account(name, "anna@example.org")) << name;
    EXPECT_EQ(make_server(Mechanism::plain, authority, {"h"})->begin("bob\0anna\0pencil"s).next,
              Next::refused);
    EXPECT_EQ(make_server(Mechanism::plain, authority, {"h"})->begin("anna\0anna\0pencil"s).next,
              Next::right);
}

TEST(Server, Login) {
    OneUser authority;
    const auto server = make_server(Mechanism::login, authority, {"h"});
    EXPECT_EQ(server->begin(std::nullopt).text, "Username:");
    EXPECT_EQ(server->respond("anna").text, "Password:");
    EXPECT_EQ(server->respond("pencil").next, Next::right);
    const auto quick = make_server(Mechanism::login, authority, {"h"});
    EXPECT_EQ(quick->begin("anna").text, "Password:");
}

}  // namespace
}  // namespace relais::sasl
