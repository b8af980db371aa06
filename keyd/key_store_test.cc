#include "keyd/key_store.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tls/test_certificate.h"

namespace relais::keyd {
namespace {

SecretText secret(const std::string& text) {
    SecretText result(text.size());
    std::memcpy(result.data(), text.data(), text.size());
    return result;
}

class KeyStoreTest : public testing::Test {
  protected:
    KeyStoreTest() { prepare_locked_memory(); }
    static std::string certificate(const std::string& encoded) {
        const auto chain = decode_chain(encoded);
        return chain && !chain->certificates.empty() ? chain->certificates.front() : "";
    }

    KeyStore store_;
    const Clock::time_point now_ = Clock::now();
    const tls::TestCertificate one_ = tls::TestCertificate::make("one.test");
    const tls::TestCertificate two_ = tls::TestCertificate::make("two.test");
};

TEST_F(KeyStoreTest, WithoutFilesThereIsNoCertificate) {
    EXPECT_TRUE(store_.commit(now_).empty());
    EXPECT_EQ(certificate(store_.chain_for("")), "");
}

TEST_F(KeyStoreTest, ChoosesByName) {
    store_.add("servercert.pem", secret(one_.chain + one_.key));
    store_.add("servercerts/two.test.pem", secret(two_.chain));
    store_.add("servercerts/two.test.key", secret(two_.key));
    store_.add("servercerts/*.wild.test.pem", secret(two_.key + two_.chain));
    EXPECT_TRUE(store_.commit(now_).empty());
    const std::string one = certificate(store_.chain_for(""));
    const std::string two = certificate(store_.chain_for("TWO.test"));
    EXPECT_NE(one, "");
    EXPECT_NE(two, "");
    EXPECT_NE(one, two);
    EXPECT_EQ(certificate(store_.chain_for("a.wild.test")), two);
    EXPECT_EQ(certificate(store_.chain_for("a.b.wild.test")), one);
    EXPECT_EQ(certificate(store_.chain_for("three.test")), one);
    EXPECT_EQ(certificate(store_.chain_for("../../etc/passwd")), one);
    EXPECT_TRUE(decode_chain(store_.chain_for(""))->named);
}

TEST_F(KeyStoreTest, KeepsTheLastGoodOne) {
    store_.add("servercert.pem", secret(one_.chain + one_.key));
    EXPECT_TRUE(store_.commit(now_).empty());
    const std::string before = store_.chain_for("");
    for (const std::string& bad : {std::string(), one_.chain, one_.key, std::string("garbage"),
                                   one_.chain + two_.key, one_.chain.substr(0, 200)}) {
        store_.add("servercert.pem", secret(bad));
        EXPECT_EQ(store_.commit(now_).size(), 1u);
        EXPECT_EQ(store_.chain_for(""), before);
    }
    // Removed on purpose.
    EXPECT_TRUE(store_.commit(now_).empty());
    EXPECT_EQ(certificate(store_.chain_for("")), "");
}

TEST_F(KeyStoreTest, AnOldKeySignsForAWhile) {
    store_.add("servercert.pem", secret(one_.chain + one_.key));
    store_.commit(now_);
    BIO* const memory = BIO_new_mem_buf(one_.chain.data(), static_cast<int>(one_.chain.size()));
    const tls::X509Ptr x(PEM_read_bio_X509(memory, nullptr, nullptr, nullptr));
    BIO_free(memory);
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x.get()), &der);
    std::string name(32, '\0');
    EVP_Digest(der, static_cast<std::size_t>(size), reinterpret_cast<unsigned char*>(name.data()), nullptr,
               EVP_sha256(), nullptr);
    OPENSSL_free(der);
    EXPECT_NE(store_.find_key(name), nullptr);
    store_.add("servercert.pem", secret(two_.chain + two_.key));
    store_.commit(now_ + std::chrono::minutes(1));
    EXPECT_NE(store_.find_key(name), nullptr);
    store_.add("servercert.pem", secret(two_.chain + two_.key));
    store_.commit(now_ + std::chrono::minutes(20));
    EXPECT_EQ(store_.find_key(name), nullptr);
}

}  // namespace
}  // namespace relais::keyd
