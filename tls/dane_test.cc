// TLSA records against real handshakes, with chains made on the spot (RFC 7671, 7672).
#include "tls/dane.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>

#include "base/fd.h"
#include "tls/client_context.h"
#include "tls/connection.h"
#include "tls/test_certificate.h"

namespace relais::tls {
namespace {

constexpr int usage_ta = 2, usage_ee = 3;
constexpr long a_day_long = 86400;

template <class Write>
std::string written(Write write) {
    BIO* const memory = BIO_new(BIO_s_mem());
    write(memory);
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory, &data);
    std::string result(data, static_cast<std::size_t>(size));
    BIO_free(memory);
    return result;
}

struct Signed {
    KeyPtr key{EVP_EC_gen("P-256")};
    X509Ptr certificate{X509_new()};

    std::string pem() const {
        return written([&](BIO* to) { PEM_write_bio_X509(to, certificate.get()); });
    }
    std::string key_pem() const {
        return written(
            [&](BIO* to) { PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    }
    // The certificate, or its key.
    std::string der(int selector) const {
        return written([&](BIO* to) {
            if (selector == 0)
                i2d_X509_bio(to, certificate.get());
            else
                i2d_PUBKEY_bio(to, key.get());
        });
    }
    Tlsa record(int usage, int selector, int matching) const {
        std::string data = der(selector);
        if (matching != 0) {
            unsigned char hash[EVP_MAX_MD_SIZE];
            unsigned size = 0;
            EVP_Digest(data.data(), data.size(), hash, &size, matching == 1 ? EVP_sha256() : EVP_sha512(),
                       nullptr);
            data.assign(reinterpret_cast<char*>(hash), size);
        }
        return {static_cast<std::uint8_t>(usage), static_cast<std::uint8_t>(selector),
                static_cast<std::uint8_t>(matching), data};
    }
};

struct Wish {
    std::string name;
    bool authority = false;
    long begins = -60;
    long ends = a_day_long;
};

// Signed by the issuer, or by itself.
Signed make(const Wish& wish, const Signed* issuer = nullptr) {
    static long serial = 1;
    Signed made;
    X509* const x = made.certificate.get();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), wish.begins);
    X509_gmtime_adj(X509_getm_notAfter(x), wish.ends);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wish.name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer != nullptr ? issuer->certificate.get() : x));
    X509_set_pubkey(x, made.key.get());
    const auto extend = [&](int kind, const std::string& value) {
        X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
    };
    if (wish.authority) extend(NID_basic_constraints, "critical,CA:TRUE");
    if (!wish.authority) extend(NID_subject_alt_name, "DNS:" + wish.name);
    X509_sign(x, issuer != nullptr ? issuer->key.get() : made.key.get(), EVP_sha256());
    return made;
}

// What the client says of a server that shows this chain: nothing, or what is wrong.
std::string verdict(const std::vector<const Signed*>& chain, const std::vector<Tlsa>& records,
                    std::vector<std::string> names = {"mx.test", "there.test"}) {
    ServerContext server;
    std::string text;
    for (const Signed* each : chain) text += each->pem();
    server.use_certificate(text, chain.front()->key_pem());
    const ClientContext client;
    int both[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    Fd theirs(both[0]), ours(both[1]);
    auto accepting = std::async(std::launch::async, [&] {
        try {
            accept(theirs.get(), server, Deadline::in(Seconds(60)));
        } catch (const Error&) {
            // The client has hung up: it says why.
        }
        theirs.reset();
    });
    ServerCheck check({std::move(names), {}, records, "_25._tcp.mx.test"});
    ClientOptions options{.server_name = "mx.test"};
    options.prepare = [&](SSL* ssl) { check.prepare(ssl); };
    std::string found;
    try {
        found = check.complaint(connect(ours.get(), client, options, Deadline::in(Seconds(60)))->native());
    } catch (const HandshakeFailed& failed) {
        found = check.chain_complaint().empty() ? failed.what() : check.chain_complaint();
    } catch (const Error& error) {
        found = error.what();
    }
    ours.reset();
    accepting.get();
    return found;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

class DaneChains : public ::testing::Test {
  protected:
    Signed root = make({"Root", true});
    Signed middle = make({"Middle", true}, &root);
    Signed leaf = make({"mx.test"}, &middle);
    std::vector<const Signed*> chain = {&leaf, &middle, &root};
};

TEST_F(DaneChains, EverySelectorAndMatching) {
    for (const int selector : {0, 1})
        for (const int matching : {0, 1, 2}) {
            const std::string row = std::to_string(selector) + " " + std::to_string(matching);
            EXPECT_EQ(verdict(chain, {leaf.record(usage_ee, selector, matching)}), "") << row;
            EXPECT_EQ(verdict(chain, {root.record(usage_ta, selector, matching)}), "") << row;
            EXPECT_EQ(verdict(chain, {middle.record(usage_ta, selector, matching)}), "") << row;
            EXPECT_TRUE(is_usable(leaf.record(usage_ee, selector, matching))) << row;
        }
}

TEST_F(DaneChains, AnotherCertificateFitsNone) {
    const Signed other = make({"mx.test"});
    for (const int usage : {usage_ta, usage_ee})
        for (const int matching : {0, 1, 2}) {
            const std::string found = verdict(chain, {other.record(usage, 1, matching)});
            EXPECT_TRUE(has(found, "fits no TLSA record of _25._tcp.mx.test")) << found;
            EXPECT_TRUE(has(found, text_of(leaf.record(usage_ee, 1, 1)))) << found;
        }
}

TEST_F(DaneChains, OneOfSeveralIsEnough) {
    const Signed next = make({"mx.test"});
    EXPECT_EQ(verdict(chain, {next.record(usage_ee, 1, 1), leaf.record(usage_ee, 1, 1)}), "");
    EXPECT_EQ(verdict({&next}, {next.record(usage_ee, 1, 1), leaf.record(usage_ee, 1, 1)}), "");
    EXPECT_EQ(verdict(chain, {next.record(usage_ee, 1, 1), root.record(usage_ta, 0, 1)}), "");
}

TEST_F(DaneChains, TheStrongestDigestCounts) {
    // RFC 7671, 9: of the same usage and selector SHA-512 leaves SHA-256 without a say.
    const Signed other = make({"mx.test"});
    EXPECT_NE(verdict(chain, {leaf.record(usage_ee, 1, 1), other.record(usage_ee, 1, 2)}), "");
}

TEST_F(DaneChains, TheLeafItselfNeedsNeitherNameNorDate) {
    const Signed expired = make({"elsewhere.example", false, -2 * a_day_long, -a_day_long});
    EXPECT_EQ(verdict({&expired}, {expired.record(usage_ee, 1, 1)}), "");
    const Signed early = make({"elsewhere.example", false, a_day_long, 2 * a_day_long});
    EXPECT_EQ(verdict({&early}, {early.record(usage_ee, 0, 2)}), "");
}

TEST_F(DaneChains, AnAuthorityVouchesForNamesAndDates) {
    const Tlsa record = root.record(usage_ta, 0, 1);
    const Signed elsewhere = make({"elsewhere.example"}, &root);
    std::string found = verdict({&elsewhere, &root}, {record});
    EXPECT_TRUE(has(found, "its certificate is for elsewhere.example, not for mx.test or there.test"))
        << found;
    const Signed expired = make({"mx.test", false, -2 * a_day_long, -a_day_long}, &root);
    found = verdict({&expired, &root}, {record});
    EXPECT_TRUE(has(found, "its certificate expired on ")) << found;
    const Signed early = make({"mx.test", false, a_day_long, 2 * a_day_long}, &root);
    EXPECT_TRUE(has(verdict({&early, &root}, {record}), "is not valid before "));
}

TEST_F(DaneChains, ACertificateForTheDomainWillDo) {
    const Signed domains = make({"there.test"}, &root);
    EXPECT_EQ(verdict({&domains, &root}, {root.record(usage_ta, 1, 1)}), "");
    EXPECT_NE(verdict({&domains, &root}, {root.record(usage_ta, 1, 1)}, {"mx.test"}), "");
    const Signed wild = make({"*.there.test"}, &root);
    EXPECT_EQ(verdict({&wild, &root}, {root.record(usage_ta, 1, 1)}, {"mx.there.test"}), "");
}

TEST_F(DaneChains, AnAuthorityMustBeShown) {
    // By its digest alone nobody has it; a whole one in the record counts all the same.
    EXPECT_NE(verdict({&leaf, &middle}, {root.record(usage_ta, 0, 1)}), "");
    EXPECT_EQ(verdict({&leaf, &middle}, {root.record(usage_ta, 0, 0)}), "");
    EXPECT_NE(verdict({&leaf}, {root.record(usage_ta, 0, 0)}), "");
}

TEST_F(DaneChains, UsagesAreNotMistakenForOneAnother) {
    EXPECT_NE(verdict(chain, {root.record(usage_ee, 1, 1)}), "");
    // The leaf as its own authority: it is not one.
    EXPECT_NE(verdict({&leaf, &middle}, {middle.record(usage_ee, 0, 0)}), "");
}

TEST_F(DaneChains, WhoOnlyNamesTheAuthorityHasNotSigned) {
    const Signed liar = make({"Root", true});
    const Signed forged = make({"mx.test"}, &liar);
    EXPECT_NE(verdict({&forged, &root}, {root.record(usage_ta, 1, 1)}), "");
}

TEST(Tlsa, TextAndBack) {
    const auto record = parse_tlsa("3 1 1 00ff10");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->data, std::string("\0\xff\x10", 3));
    EXPECT_EQ(text_of(*record), "3 1 1 00ff10");
    EXPECT_FALSE(is_usable(*record));
    for (const char* text : {"", "3 1 1", "3 1 1 0", "3 1 1 0g", "3 1 1 00 11", "-3 1 1 00", "3 1 1000 00"})
        EXPECT_FALSE(parse_tlsa(text)) << text;
}

}  // namespace
}  // namespace relais::tls
