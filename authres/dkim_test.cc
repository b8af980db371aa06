#include "authres/dkim.h"

#include <gtest/gtest.h>

#include "authres/tag_list.h"
#include "authres/zone.h"
#include "base/error.h"
#include "base/file.h"
#include "sasl/base64.h"

namespace relais::authres {
namespace {

// Published vectors, used where they are.
constexpr std::string_view dkim_data = "../shared/data/dkim/";

std::string data_file(std::string_view name) {
    return read_file(std::string(dkim_data) + std::string(name), 1 << 20).value_or("");
}

// Runs a message through one verifier, cut into pieces of that size.
class Verification final : public MessageSink {
  public:
    void header(const MessageHeader& header) override { verifier.header(header, hashes); }
    void body(std::string_view data) override { hashes.add(data); }
    DkimVerifier verifier;
    BodyHashes hashes;
};

void feed(MessageReader& reader, std::string_view message, std::size_t piece) {
    for (; !message.empty(); message.remove_prefix(std::min(piece, message.size())))
        reader.add(message.substr(0, piece));
    reader.finish();
}

DkimReport verify(std::string_view message, std::string_view zone, std::int64_t now = 0,
                  std::size_t piece = SIZE_MAX) {
    Verification verification;
    MessageReader reader(verification);
    feed(reader, message, piece);
    verification.hashes.finish();
    ZoneDns dns(Zone::parse(zone, "zone"));
    return verification.verifier.finish(dns, verification.hashes, now, Deadline::never());
}

std::string summary(const DkimReport& report) {
    std::string text;
    for (const DkimVerdict& verdict : report.signatures)
        text += std::string(text.empty() ? "" : " | ") + std::string(to_text(verdict.result)) + " " +
                verdict.reason;
    return text;
}

std::string sign(std::string_view message, SigningKey& key, const DkimSigning& signing,
                 std::size_t piece = SIZE_MAX) {
    DkimSigner signer(signing);
    MessageReader reader(signer);
    feed(reader, message, piece);
    return signer.finish(key);
}

std::string record_of(const PrivateKey& key, std::string_view more = "") {
    return "sel._domainkey.example.org. TXT \"v=DKIM1; k=" + std::string(to_text(key.type())) + ";" +
           std::string(more) + " p=" + sasl::encode_base64(key.public_key()) + "\"\n";
}

const std::string message =
    "Received: from here\r\nFrom: A <a@example.org>\r\nTo: b@example.net,\r\n c@example.net\r\nSubject: test "
    "\t of it\r\n"
    "Date: Mon, 30 Nov 2026 00:00:00 +0000\r\n\r\nHello \t world \r\n\r\n.. and  more\r\n\r\n\r\n";

std::unique_ptr<PrivateKey> test_key(KeyType type = KeyType::ed25519) {
    static const std::string rsa_pem = PrivateKey::make(KeyType::rsa)->pem();
    if (type == KeyType::rsa) return PrivateKey::parse(rsa_pem, "pem");
    return PrivateKey::from_ed25519_seed(std::string(32, 's'));
}

TEST(TagList, HasTheFormOfRfc6376) {
    const auto tags = TagList::parse(" a=b; c = d \r\n e ;f=;\r\n");
    ASSERT_TRUE(tags);
    EXPECT_EQ(tags->find("a"), "b");
    EXPECT_EQ(tags->find("c"), "d \r\n e");
    EXPECT_EQ(tags->find("f"), "");
    EXPECT_FALSE(tags->find("A"));
    for (const char* wrong : {"", "a", "=b", "a=b;;c=d", "a=b; a=c", "1=b", "a=\x01", "a b=c"})
        EXPECT_FALSE(TagList::parse(wrong)) << wrong;
    EXPECT_EQ(without_signature("X: a=1; b=abc\r\n def; c=b=2\r\n"), "X: a=1; b=; c=b=2\r\n");
    EXPECT_EQ(without_signature("X: bh=1; b =abc\r\n"), "X: bh=1; b =");
    EXPECT_EQ(decode_folded_base64("aGV sbG\r\n8"), "hello");
    EXPECT_FALSE(decode_folded_base64("a"));
    EXPECT_FALSE(decode_folded_base64("aGV-"));
}

TEST(Canonical, BodiesOfRfc6376) {
    const auto canonical = [](Canonical form, std::string_view text) {
        std::string out;
        const auto add = [&](std::string_view piece) { out += piece; };
        CanonicalBody body(form);
        body.add(text, add);
        body.finish(add);
        return out;
    };
    EXPECT_EQ(canonical(Canonical::relaxed, " C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
    EXPECT_EQ(canonical(Canonical::simple, " C \r\nD \t E\r\n\r\n\r\n"), " C \r\nD \t E\r\n");
    EXPECT_EQ(canonical(Canonical::simple, ""), "\r\n");
    EXPECT_EQ(canonical(Canonical::relaxed, ""), "");
    EXPECT_EQ(canonical(Canonical::relaxed, " \r\n\t\r\n"), "");
    EXPECT_EQ(canonical(Canonical::simple, "a"), "a\r\n");
    EXPECT_EQ(canonical(Canonical::relaxed, "a \rb\r\r\n"), "a \rb\r\r\n");
    EXPECT_EQ(
        canonical(Canonical::relaxed,
                  std::string(100, '\n').insert(0, "a\r\n").replace(3, 100, std::string(20, ' ')) + "\r\nb"),
        "a\r\n\r\nb\r\n");
    EXPECT_EQ(canonical_field(Canonical::relaxed, "SUBJect \t: \r\n AbC\t \r\n d  \r\n"),
              "subject:AbC d\r\n");
}

TEST(Dkim, PublishedSignaturesAreRight) {
    const std::string signed_message = data_file("rfc6376.signed.msg");
    if (signed_message.empty()) GTEST_SKIP() << "skipped: ../shared/data is not beside this checkout";
    const std::string zone =
        "brisbane._domainkey.football.example.com. TXT \"v=DKIM1; k=ed25519; "
        "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n"
        "test._domainkey.football.example.com. TXT \"" +
        data_file("test.txt").substr(0, 300) +
        "\"\n"
        "sed._domainkey.test.ex. TXT \"" +
        data_file("eximtest.dns").substr(0, 80) + "\"\n";
    EXPECT_EQ(summary(verify(signed_message, zone)),
              "pass good signature by a 256-bit ed25519 key | pass good signature by a 1024-bit rsa key");
    EXPECT_EQ(summary(verify(data_file("ed25519test2.msg"), zone)),
              "pass good signature by a 256-bit ed25519 key");
}

DkimSigning plain() {
    return {"example.org", "sel"};
}

TEST(Dkim, WhatIsSignedVerifiesInEveryFormAndPiece) {
    for (const KeyType type : {KeyType::rsa, KeyType::ed25519})
        for (const Canonical header : {Canonical::simple, Canonical::relaxed})
            for (const Canonical body : {Canonical::simple, Canonical::relaxed})
                for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
                    const auto key = test_key(type);
                    DkimSigning signing = plain();
                    signing.header_form = header;
                    signing.body_form = body;
                    const std::string field = sign(message, *key, signing, piece);
                    const auto report = verify(field + message, record_of(*key), 0, piece);
                    ASSERT_EQ(report.signatures.size(), 1U);
                    EXPECT_EQ(report.signatures[0].result, DkimResult::pass)
                        << field << report.signatures[0].reason;
                    EXPECT_EQ(report.signatures[0].identity, "@example.org");
                }
}

TEST(Dkim, LineEndsOfTheFileDoNotCount) {
    const auto key = test_key();
    std::string lf = sign(message, *key, plain()) + message;
    std::erase(lf, '\r');
    EXPECT_EQ(summary(verify("From x Mon Nov 30\n" + lf, record_of(*key))),
              "pass good signature by a 256-bit ed25519 key");
}

TEST(Dkim, OversignedFieldsCannotBeAdded) {
    const auto key = test_key();
    const std::string field = sign(message, *key, plain());
    for (const char* added : {"From: x@evil.example\r\n", "Subject: x\r\n", "Date: x\r\n", "To: x\r\n"})
        EXPECT_EQ(verify(field + added + message, record_of(*key)).signatures[0].result, DkimResult::fail)
            << added;
    EXPECT_EQ(verify(field + "Received: x\r\n" + message, record_of(*key)).signatures[0].result,
              DkimResult::pass);
}

TEST(Dkim, ChangesAreSeen) {
    const auto key = test_key();
    const std::string whole = sign(message, *key, plain()) + message;
    const auto changed = [&](std::string_view from, std::string_view to) {
        std::string other = whole;
        other.replace(other.find(from), from.size(), to);
        return summary(verify(other, record_of(*key)));
    };
    EXPECT_EQ(changed("Hello", "Hallo"), "fail the body has changed: its hash is another");
    EXPECT_EQ(changed("test \t of", "test of"), "pass good signature by a 256-bit ed25519 key");
    EXPECT_EQ(changed("test \t of", "toast of").substr(0, 33), "fail the signature does not match");
    EXPECT_EQ(changed("a=ed25519-sha256", "a=rsa-sha1"),
              "permerror rsa-sha1 is no longer a signature (RFC 8301)");
    EXPECT_EQ(changed("a=ed25519-sha256", "a=rsa-sha256"),
              "permerror the key is of ed25519, the signature of rsa");
    EXPECT_EQ(changed("s=sel;", "s=sel; i=@evil.example;"), "permerror i= is not within d=");
    EXPECT_EQ(changed("s=sel;", "s=nosel;"), "permerror there is no key record");
    EXPECT_EQ(changed("s=sel;", "s=sel; q=http;"), "permerror q= has no method that is known");
    EXPECT_EQ(changed("s=sel;", "s=sel; s=sel;"), "permerror syntax error");
    EXPECT_EQ(changed("v=1", "v=2"), "permerror v= is not 1");
}

TEST(Dkim, LengthAndExpiryAreHonoured) {
    const auto key = test_key();
    DkimSigning signing = plain();
    signing.time = 1000;
    signing.expiry = 2000;
    const std::string timed = sign(message, *key, signing) + message;
    EXPECT_EQ(summary(verify(timed, record_of(*key), 1500)), "pass good signature by a 256-bit ed25519 key");
    EXPECT_EQ(summary(verify(timed, record_of(*key), 2001)), "fail the signature has expired");
    // A signature with l= is made by hand: ours has none.
    const std::string zone = record_of(*key);
    const auto with_length = [&](int length, std::string_view body_hash) {
        DkimSignature signature;
        signature.header_form = Canonical::relaxed;
        signature.fields = {"from"};
        const std::string field =
            "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/simple; d=example.org; s=sel; h=from; l=" +
            std::to_string(length) + "; bh=" + std::string(body_hash) + "; b=";
        const std::vector<HeaderField> fields{{"From", "From: a@example.org\r\n"}};
        const std::string hash = signed_hash(signature, fields, field + "\r\n", std::nullopt);
        return field + sasl::encode_base64(key->sign(hash)) +
               "\r\nFrom: a@example.org\r\n\r\nabc\r\nmore\r\n";
    };
    EXPECT_EQ(summary(verify(with_length(5, sasl::encode_base64(sha256("abc\r\n"))), zone)),
              "pass good signature by a 256-bit ed25519 key, but not of the last 6 octets of the body");
    EXPECT_EQ(summary(verify(with_length(0, sasl::encode_base64(sha256(""))), zone)),
              "pass good signature by a 256-bit ed25519 key, but not of the last 11 octets of the body");
    EXPECT_EQ(summary(verify(with_length(12, sasl::encode_base64(sha256("abc\r\nmore\r\n"))), zone)),
              "permerror l= is longer than the body");
}

TEST(Dkim, KeyRecordsDecide) {
    const auto key = test_key();
    DkimSigning signing = plain();
    signing.identity = "@sub.example.org";
    const std::string below = sign(message, *key, signing) + message;
    const std::string whole = sign(message, *key, plain()) + message;
    EXPECT_EQ(summary(verify(below, record_of(*key))), "pass good signature by a 256-bit ed25519 key");
    EXPECT_EQ(summary(verify(below, record_of(*key, " t=s;"))),
              "permerror the key is not for subdomains, and i= is one");
    EXPECT_TRUE(verify(whole, record_of(*key, " t=y:s;")).signatures[0].testing);
    EXPECT_EQ(summary(verify(whole, record_of(*key, " h=sha1:sha256; s=*; n=x;"))),
              "pass good signature by a 256-bit ed25519 key");
    EXPECT_EQ(summary(verify(whole, record_of(*key, " h=sha1;"))),
              "permerror the key record does not allow sha256");
    EXPECT_EQ(summary(verify(whole, record_of(*key, " s=tlsrpt;"))), "permerror the key is not for mail");
    const auto with = [&](std::string_view record) {
        return summary(verify(whole, "sel._domainkey.example.org. " + std::string(record)));
    };
    EXPECT_EQ(with("TXT \"v=DKIM1; k=ed25519; p=\""), "permerror the key was revoked");
    EXPECT_EQ(with("TXT \"v=DKIM2; p=\""), "permerror the key record is not of version DKIM1");
    EXPECT_EQ(with("TXT \"k=ed25519; p=AAAA\""), "permerror the key record's key is no Ed25519 key");
    EXPECT_EQ(with("TIMEOUT"), "temperror no answer from DNS for the key");
    EXPECT_EQ(with("TXT \"v=spf1 -all\"\n" + record_of(*key)),
              "pass good signature by a 256-bit ed25519 key");
}

TEST(Dkim, ShortRsaKeysProveNothing) {
    const std::string short_key =
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALvXbPSbvLTlL5CTZyUUSk6ifoZQqaT5yZrZ2zN1ZZa5oLOsn3SP1vZ1WtLGnDDYSQ6f"
        "ZbPXrN8uKaf7c9uXnXkC"
        "AwEAAQ==";
    const auto made = PublicKey::make(KeyType::rsa, *decode_folded_base64(short_key));
    ASSERT_TRUE(std::holds_alternative<BadKey>(made));
    EXPECT_EQ(std::get<BadKey>(made).reason, "the RSA key has only 512 bits");
}

TEST(Dkim, MoreThanTenSignaturesAreNotLookedAt) {
    const auto key = test_key();
    const std::string field = sign(message, *key, plain());
    std::string whole = message;
    for (int i = 0; i < 13; ++i) whole = field + whole;
    const auto report = verify(whole, record_of(*key));
    EXPECT_EQ(report.signatures.size(), 10U);
    EXPECT_EQ(report.ignored, 3U);
    EXPECT_EQ(report.signatures[9].result, DkimResult::pass);
}

TEST(Dkim, AHeaderBeyondTheLimitIsNotVerified) {
    const auto key = test_key();
    const std::string whole =
        sign(message, *key, plain()) + "X: " + std::string(header_limit, 'x') + "\r\n" + message;
    EXPECT_EQ(summary(verify(whole, record_of(*key))), "permerror the header is too large to be verified");
}

TEST(Dkim, OddMessagesAreReadToTheEnd) {
    const std::string nul("Fr\0m: x\r\n\r\n\0\r\r\n", 15);
    for (const std::string& odd : {std::string(), std::string("\n"), std::string("\r"),
                                   std::string("DKIM-Signature:"), std::string(" x\n"), nul})
        EXPECT_LE(verify(odd, "").signatures.size(), 1U);
    EXPECT_THROW(sign("To: x\r\n\r\n", *test_key(), plain()), Error);
}

}  // namespace
}  // namespace relais::authres
