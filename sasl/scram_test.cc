#include "sasl/scram.h"

#include <gtest/gtest.h>

#include "sasl/base64.h"

namespace relais::sasl {
namespace {

using std::string_literals::operator""s;

constexpr std::string_view client_bare = "n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view example_server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view without_proof = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

// RFC 7677, 3.
TEST(Scram, VectorOfRfc7677) {
    const auto first = parse_server_first(example_server_first);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->iterations, 4096U);
    const std::string messages =
        std::string(client_bare) + "," + std::string(example_server_first) + "," + std::string(without_proof);
    const ScramProof proof = make_scram_proof("pencil", first->salt, first->iterations, messages);
    EXPECT_EQ(encode_base64(proof.proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    EXPECT_EQ(encode_base64(proof.server_signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    const ScramVerifier verifier = make_scram_verifier("pencil", first->salt, first->iterations);
    EXPECT_TRUE(scram_proof_fits(verifier, messages, proof.proof));
    EXPECT_EQ(scram_server_signature(verifier, messages), proof.server_signature);
    std::string wrong = proof.proof;
    wrong[0] = static_cast<char>(wrong[0] ^ 1);
    EXPECT_FALSE(scram_proof_fits(verifier, messages, wrong));
    EXPECT_FALSE(scram_proof_fits(verifier, messages + "x", proof.proof));
    EXPECT_FALSE(scram_proof_fits(verifier, messages, ""));
    EXPECT_FALSE(scram_proof_fits(make_scram_verifier("Pencil", first->salt, 4096), messages, proof.proof));
}

TEST(Scram, StoredForm) {
    const ScramVerifier verifier = make_scram_verifier("pencil", "salt", 4096);
    const std::string text = format_scram_verifier(verifier);
    EXPECT_TRUE(text.starts_with("SCRAM-SHA-256$4096:c2FsdA==$")) << text;
    EXPECT_EQ(parse_scram_verifier(text), verifier);
    for (const std::string& wrong :
         {""s, text + "=", text.substr(1), text.substr(0, text.size() - 4),
          "SCRAM-SHA-256$0:c2FsdA==$" + text.substr(28), "SCRAM-SHA-256$4096:$" + text.substr(28)})
        EXPECT_FALSE(parse_scram_verifier(wrong)) << wrong;
}

// RFC 5802, 5 and 7.
TEST(Scram, ClientFirst) {
    const auto plain = parse_client_first("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->header, "n,,");
    EXPECT_EQ(plain->bare, "n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    EXPECT_EQ(plain->user, "user");
    EXPECT_EQ(plain->nonce, "fyko+d2lbbFgONRv9qkxdawL");
    const auto bound = parse_client_first("p=tls-exporter,a=bo=2Css,n=us=3Der,r=x,e=1");
    ASSERT_TRUE(bound);
    EXPECT_EQ(bound->header, "p=tls-exporter,a=bo=2Css,");
    EXPECT_EQ(bound->binding, 'p');
    EXPECT_EQ(bound->binding_type, "tls-exporter");
    EXPECT_EQ(bound->authorization, "bo,ss");
    EXPECT_EQ(bound->user, "us=er");
    for (const std::string& wrong : {""s,
                                     "n"s,
                                     "n,"s,
                                     "n,,"s,
                                     "n,,n=,r=x"s,
                                     "n,,n=u"s,
                                     "n,,n=u,r="s,
                                     "x,,n=u,r=x"s,
                                     "n,n=u,r=x"s,
                                     "p=,,n=u,r=x"s,
                                     "n,a=,n=u,r=x"s,
                                     "n,,m=1,n=u,r=x"s,
                                     "n,,n=u=,r=x"s,
                                     "n,,n=u=2c,r=x"s,
                                     "n,,n=u\0,r=x"s,
                                     "n,,n=u,r=x y"s,
                                     "n,,n=u,r=x,m=1"s,
                                     "n,,n=u,r=x,"s,
                                     "n,,r=x,n=u"s,
                                     "n,,n=u,r=" + std::string(scram_nonce_limit + 1, 'a')})
        EXPECT_FALSE(parse_client_first(wrong)) << wrong;
}

TEST(Scram, ServerFirst) {
    for (const std::string& wrong :
         {""s, "r=x"s, "r=x,s=,i=1"s, "r=x,s=c2FsdA==,i=0"s, "r=x,s=c2FsdA==,i=99999999999"s,
          "r=x,s=c2FsdA,i=4096"s, "m=1,r=x,s=c2FsdA==,i=4096"s, "r=x,s=c2FsdA==,i=-1"s})
        EXPECT_FALSE(parse_server_first(wrong)) << wrong;
    EXPECT_EQ(format_server_first("x", "salt", 4096), "r=x,s=c2FsdA==,i=4096");
}

TEST(Scram, ClientFinal) {
    const std::string proof = encode_base64(std::string(32, 'x'));
    const std::string text = "c=biws,r=abc,p=" + proof;
    const auto message = parse_client_final(text);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->binding, "n,,");
    EXPECT_EQ(message->nonce, "abc");
    EXPECT_EQ(message->without_proof, "c=biws,r=abc");
    for (const std::string& wrong :
         {""s, "c=biws,r=abc"s, "c=biws,p=" + proof, "c=biw,r=abc,p=" + proof, "c=biws,r=abc,p=eA=="s,
          "c=biws,r=abc,m=1,p=" + proof, "c=biws,r=abc,p=" + proof + ",x=y"})
        EXPECT_FALSE(parse_client_final(wrong)) << wrong;
}

TEST(Scram, Names) {
    EXPECT_EQ(encode_saslname("a,b=c"), "a=2Cb=3Dc");
    EXPECT_EQ(decode_saslname("a=2Cb=3Dc"), "a,b=c");
}

TEST(Scram, NoncesDiffer) {
    EXPECT_NE(new_scram_nonce(), new_scram_nonce());
}

}  // namespace
}  // namespace relais::sasl
