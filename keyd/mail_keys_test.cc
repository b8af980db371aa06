#include "keyd/mail_keys.h"

#include <gtest/gtest.h>

#include "keyd/key_store.h"
#include "keyd/mail_token.h"
#include "keyd/server.h"

namespace relais::keyd {
namespace {

constexpr std::int64_t today = 1'700'000'000;
const std::string token_secret(token_secret_size, 's');

std::string new_key(authres::KeyType type = authres::KeyType::ed25519) {
    return authres::PrivateKey::make(type)->pem();
}

std::string token(std::vector<std::string> domains, std::int64_t expires = today + 60) {
    MailGrant grant{4711, expires, std::move(domains)};
    return make_mail_token(token_secret, grant);
}

TEST(MailToken, SaysWhatItWasMadeOf) {
    const auto grant = open_mail_token(token_secret, token({"one.test", "two.test"}), today);
    ASSERT_TRUE(grant);
    EXPECT_EQ(grant->message, 4711U);
    EXPECT_TRUE(grant->allows("two.test"));
    EXPECT_FALSE(grant->allows("three.test"));
    EXPECT_FALSE(grant->allows(""));
    EXPECT_TRUE(open_mail_token(token_secret, token({"*"}), today)->allows("three.test"));
    EXPECT_FALSE(open_mail_token(token_secret, token({}), today)->allows("one.test"));
}

TEST(MailToken, IsGoodForItsTimeAndUnchanged) {
    const std::string good = token({"one.test"});
    EXPECT_FALSE(open_mail_token(token_secret, good, today + 61));
    EXPECT_FALSE(open_mail_token(std::string(token_secret_size, 't'), good, today));
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string other = good;
        other[i] ^= 1;
        EXPECT_FALSE(open_mail_token(token_secret, other, today)) << i;
        EXPECT_FALSE(open_mail_token(token_secret, good.substr(0, i), today)) << i;
    }
}

TEST(MailToken, HasAnEnd) {
    std::vector<std::string> domains(10'000, "some.example.org");
    const std::string made = token(domains);
    EXPECT_LE(made.size(), mail_token_limit);
    EXPECT_TRUE(open_mail_token(token_secret, made, today));
}

class MailKeysTest : public testing::Test {
  protected:
    std::string ask(const MailRequest& request) {
        return answer_mail(encode_mail_request(request), keys_, token_secret, today).value_or("no answer");
    }
    KeysFound found(const std::string& with, std::vector<std::string_view> domains) {
        return decode_keys_found(ask(KeysWanted{with, std::move(domains)})).value_or(KeysFound{"none", {}});
    }

    MailKeys keys_;
};

TEST_F(MailKeysTest, FindsTheFirstDomainThatHasKeys) {
    keys_.add("dkim/two.test/r1", new_key(authres::KeyType::rsa));
    keys_.add("dkim/two.test/e1", new_key());
    EXPECT_TRUE(keys_.commit().empty());
    const KeysFound both{"two.test", {{authres::KeyType::ed25519, "e1"}, {authres::KeyType::rsa, "r1"}}};
    EXPECT_EQ(found(token({"one.test", "two.test"}), {"one.test", "two.test"}), both);
    EXPECT_EQ(found(token({"*"}), {"two.test"}), both);
    EXPECT_EQ(found(token({"one.test"}), {"one.test"}), KeysFound{});
    EXPECT_EQ(found(token({"two.test"}), {}), KeysFound{});
}

TEST_F(MailKeysTest, UsesWhatTheListNames) {
    keys_.add("dkim/one.test/.use", "# since Monday\n new \n\nmissing\n");
    keys_.add("dkim/one.test/old", new_key());
    keys_.add("dkim/one.test/new", new_key());
    const auto problems = keys_.commit();
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_NE(problems[0].find("missing"), std::string::npos);
    EXPECT_EQ(found(token({"one.test"}), {"one.test"}),
              (KeysFound{"one.test", {{authres::KeyType::ed25519, "new"}}}));
    // An empty list stops the signing.
    keys_.add("dkim/one.test/.use", "");
    keys_.add("dkim/one.test/new", new_key());
    EXPECT_TRUE(keys_.commit().empty());
    EXPECT_EQ(found(token({"one.test"}), {"one.test"}), KeysFound{});
}

TEST_F(MailKeysTest, SignsForWhomTheTokenNames) {
    keys_.add("dkim/one.test/s", new_key());
    keys_.add("dkim/two.test/s", new_key());
    EXPECT_TRUE(keys_.commit().empty());
    const std::string hash(mail_hash_size, 'h'), good = token({"one.test"}),
                                                 old = token({"one.test"}, today - 1);
    const auto signature = decode_mail_signature(ask(MailSigning{good, "one.test", "s", hash}));
    ASSERT_TRUE(signature);
    EXPECT_EQ(decode_mail_signature(ask(MailSigning{good, "one.test", "s", hash})), signature);
    EXPECT_EQ(ask(MailSigning{good, "two.test", "s", hash})[0], 'E');
    EXPECT_EQ(ask(MailSigning{good, "one.test", "other", hash})[0], 'E');
    EXPECT_EQ(ask(MailSigning{old, "one.test", "s", hash})[0], 'E');
    EXPECT_EQ(ask(MailSigning{"", "one.test", "s", hash})[0], 'E');
    EXPECT_EQ(ask(KeysWanted{good, {"two.test"}})[0], 'E');
    EXPECT_FALSE(answer_mail("S", keys_, token_secret, today));
    // Without a secret nobody has leave.
    EXPECT_EQ(answer_mail(encode_mail_request(MailSigning{good, "one.test", "s", hash}), keys_, "", today)
                  .value_or("")[0],
              'E');
}

TEST_F(MailKeysTest, AKeyThatCannotBeReadIsNamed) {
    keys_.add("dkim/one.test/bad", "no key");
    keys_.add("dkim/one.test/good", new_key());
    const auto problems = keys_.commit();
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_NE(problems[0].find("control/dkim/one.test/bad"), std::string::npos);
    EXPECT_EQ(found(token({"one.test"}), {"one.test"}).keys.size(), 1U);
}

// The two sockets know nothing of each other's questions.
TEST_F(MailKeysTest, NeitherProtocolAnswersTheOthersQuestions) {
    prepare_locked_memory();
    const KeyStore store;
    TicketKeys tickets(Seconds(100), Clock::now());
    const std::string good = token({"*"});
    EXPECT_FALSE(answer(encode_mail_request(KeysWanted{good, {"one.test"}}), store, tickets));
    EXPECT_FALSE(answer(encode_mail_request(MailSigning{good, "a", "b", std::string(mail_hash_size, 'h')}),
                        store, tickets));
    for (const Request& request : {Request(CertificateFor{"x"}), Request(Watch{}), Request(NewTicket{})})
        EXPECT_FALSE(answer_mail(encode_request(request), keys_, token_secret, today));
}

}  // namespace
}  // namespace relais::keyd
