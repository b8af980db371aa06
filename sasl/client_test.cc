#include "sasl/client.h"

#include <gtest/gtest.h>

namespace relais::sasl {
namespace {

using std::string_literals::operator""s;

std::string text(const std::optional<Secret>& secret) {
    return secret ? std::string(secret->view()) : "(nothing)";
}

TEST(Client, Plain) {
    const auto client = make_client(Mechanism::plain, "anna", "secret");
    EXPECT_FALSE(client->complete());
    EXPECT_EQ(text(client->begin()), "\0anna\0secret"s);
    EXPECT_TRUE(client->complete());
    EXPECT_FALSE(client->respond("more?"));
}

TEST(Client, Login) {
    const auto client = make_client(Mechanism::login, "anna", "secret");
    EXPECT_FALSE(client->begin());
    EXPECT_EQ(text(client->respond("Username:")), "anna");
    EXPECT_FALSE(client->complete());
    EXPECT_EQ(text(client->respond("Password:")), "secret");
    EXPECT_TRUE(client->complete());
    EXPECT_FALSE(client->respond(""));
}

TEST(Client, CramMd5) {
    const auto client = make_client(Mechanism::cram_md5, "tim", "tanstaaftanstaaf");
    EXPECT_FALSE(client->begin());
    EXPECT_EQ(text(client->respond("<1896.697170952@postoffice.reston.mci.net>")),
              "tim b913a602c7eda7a495b4e6e7334d3890");
    EXPECT_TRUE(client->complete());
    EXPECT_FALSE(client->respond("<1@b>"));
}

std::unique_ptr<Client> rfc7677() {
    return make_client(Mechanism::scram_sha_256, "user", "pencil", nullptr, "rOprNGfwEbeRWgbNEkqO");
}
constexpr std::string_view server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

TEST(Client, ScramOfRfc7677) {
    const auto client = rfc7677();
    EXPECT_EQ(text(client->begin()), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    EXPECT_EQ(text(client->respond(server_first)),
              "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
              "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    EXPECT_FALSE(client->complete());
    EXPECT_EQ(text(client->respond("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")), "");
    EXPECT_TRUE(client->complete());
}

TEST(Client, AScramServerThatKnowsNothing) {
    auto client = rfc7677();
    (void)client->begin();
    (void)client->respond(server_first);
    EXPECT_FALSE(client->respond("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
    EXPECT_FALSE(client->complete());
    EXPECT_FALSE(client->respond("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    for (const std::string& wrong : {""s, "v="s, "e=invalid-proof"s, "v"s}) {
        client = rfc7677();
        (void)client->begin();
        (void)client->respond(server_first);
        EXPECT_FALSE(client->respond(wrong)) << wrong;
        EXPECT_FALSE(client->complete());
    }
    for (const std::string& wrong :
         {"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"s,   // adds no nonce
          "r=Another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"s,                // another nonce
          "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095"s,  // cheap
          "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2000001"s, ""s}) {
        client = rfc7677();
        (void)client->begin();
        EXPECT_FALSE(client->respond(wrong)) << wrong;
    }
}

TEST(Client, ScramBindings) {
    const ChannelBinding binding{"tls-exporter", "0123"};
    EXPECT_EQ(text(make_client(Mechanism::scram_sha_256, "a,b", "x", &binding, "N")->begin()),
              "y,,n=a=2Cb,r=N");
    const auto plus = make_client(Mechanism::scram_sha_256_plus, "u", "x", &binding, "N");
    EXPECT_EQ(text(plus->begin()), "p=tls-exporter,,n=u,r=N");
    // base64 of "p=tls-exporter,,0123"
    EXPECT_TRUE(text(plus->respond("r=Nx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"))
                    .starts_with("c=cD10bHMtZXhwb3J0ZXIsLDAxMjM=,r=Nx,p="));
}

TEST(Client, BearerRefused) {
    const auto client = make_client(Mechanism::oauthbearer, "u@x.example", "token");
    EXPECT_EQ(text(client->begin()),
              "n,a=u@x.example,\x01"
              "auth=Bearer token\x01\x01");
    EXPECT_TRUE(client->complete());
    EXPECT_EQ(text(client->respond("{}")), "\x01");
    EXPECT_FALSE(client->complete());
}

TEST(Mechanisms, Names) {
    for (const Mechanism m :
         {Mechanism::plain, Mechanism::login, Mechanism::cram_md5, Mechanism::scram_sha_256,
          Mechanism::scram_sha_256_plus, Mechanism::xoauth2, Mechanism::oauthbearer})
        EXPECT_EQ(mechanism_named(name_of(m)), m);
    EXPECT_EQ(mechanism_named("scram-sha-256-plus"), Mechanism::scram_sha_256_plus);
    EXPECT_FALSE(mechanism_named("GSSAPI"));
    EXPECT_FALSE(mechanism_named(""));
}

}  // namespace
}  // namespace relais::sasl
