#include "setup/public_server.h"

#include <gtest/gtest.h>

#include <map>

#include "authres/key_publication.h"
#include "authres/zone.h"
#include "base/text.h"
#include "setup/public_certificate.h"
#include "tls/test_certificate.h"

namespace relais::setup {
namespace {

using Level = Report::Level;

// A zone, and TLSA records that DNSSEC vouches for.
class TestDns final : public authres::Dns {
  public:
    explicit TestDns(const std::string& zone) : zone_(authres::Zone::parse(zone, "zone")) {}
    std::vector<net::DnsAnswer> ask_all(std::span<const net::DnsQuestion> questions, Deadline) override {
        std::vector<net::DnsAnswer> answers;
        for (const net::DnsQuestion& each : questions) {
            answers.push_back(zone_.answer(each.type, each.name));
            if (each.type != net::RecordType::tlsa || !tlsa.contains(each.name)) continue;
            answers.back() = {net::DnsStatus::found, secure, 60, "", {{0, tlsa[each.name]}}};
        }
        return answers;
    }
    std::map<std::string, std::string> tlsa{};
    bool secure = true;

  private:
    authres::Zone zone_;
};

constexpr char well[] =
    "mail.example.org. A 192.0.2.25\nmail.example.org. AAAA 2001:db8::25\n"
    "mail.example.org. TXT \"v=spf1 a -all\"\n"
    "example.org. MX 10 mail.example.org.\nexample.org. TXT \"v=spf1 mx -all\"\n"
    "_dmarc.example.org. TXT \"v=DMARC1; p=reject; rua=mailto:postmaster@example.org\"\n"
    "25.2.0.192.in-addr.arpa. PTR mail.example.org.\n"
    "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mail.example.org.\n";

class PublicServerTest : public ::testing::Test {
  protected:
    PublicServerTest() {
        const auto key = authres::PrivateKey::make(authres::KeyType::ed25519);
        record_ = authres::key_record_text(*key);
        server_ = {"mail.example.org",
                   "mail.example.org",
                   {"192.0.2.25", "2001:db8::25"},
                   {{"example.org", true, {{"s1", 256, record_, true}}}},
                   tls::TestCertificate::make("mail.example.org").chain};
    }

    // The zone in which all is well, without the lines that have one of these words, and with more.
    std::string zone(const std::vector<std::string>& without = {}, const std::string& more = "") const {
        std::string text, all = well + ("s1._domainkey.example.org. TXT \"" + record_ + "\"\n");
        for (const auto line : split(all, '\n')) {
            bool kept = true;
            for (const std::string& word : without) kept = kept && line.find(word) == std::string_view::npos;
            if (kept) text.append(line) += '\n';
        }
        return text + more;
    }
    std::vector<PublicFinding> look(const std::string& text, sts::Found policy = {}) {
        TestDns dns(text);
        return look(dns, std::move(policy));
    }
    std::vector<PublicFinding> look(TestDns& dns, sts::Found policy = {}) {
        const auto ask = [&](const std::string&, const std::string&) { return policy; };
        return PublicLook(server_, dns, ask, Deadline::in(Seconds(10))).look();
    }
    // The finding with these words: its remedy.
    static std::string found(const std::vector<PublicFinding>& findings, Level level,
                             std::string_view words) {
        std::string all;
        for (const PublicFinding& each : findings) {
            if (each.level == level && each.text.find(words) != std::string::npos) return each.remedy;
            all +=
                std::to_string(static_cast<int>(each.level)) + " " + each.text + " -> " + each.remedy + "\n";
        }
        ADD_FAILURE() << "no \"" << words << "\" in\n" << all;
        return "";
    }
    static bool has_worse(const std::vector<PublicFinding>& findings, std::string_view words) {
        for (const PublicFinding& each : findings)
            if (each.level > Level::good && each.text.find(words) != std::string::npos) return true;
        return false;
    }

    std::string record_;
    PublicServer server_;
};

TEST_F(PublicServerTest, FindsAllWellWhereItIs) {
    const auto findings = look(zone());
    for (const std::string_view words :
         {"the name in HELO, mail.example.org, has the addresses", "192.0.2.25 is called mail.example.org",
          "2001:db8::25 is called mail.example.org", "mail for example.org is sent here",
          "SPF of example.org lets this host send", "s1._domainkey.example.org is published",
          "DMARC of example.org: reject", "the certificate is for mail.example.org"})
        found(findings, Level::good, words);
    for (const PublicFinding& each : findings) {
        const bool of_the_test = each.text.find("the certificate ends in") != std::string::npos ||
                                 each.text.find("signed by itself") != std::string::npos;
        EXPECT_TRUE(each.level == Level::good || of_the_test) << each.text;
    }
}

TEST_F(PublicServerTest, NamesWhatHeloLacks) {
    EXPECT_EQ(found(look(zone({"mail.example.org. A"})), Level::bad, "has no address"),
              "mail.example.org. A 192.0.2.25; mail.example.org. AAAA 2001:db8::25");
    EXPECT_TRUE(found(look(zone({" AAAA "})), Level::look, "does not lead to each address")
                    .starts_with("mail.example.org. AAAA 2001:db8::25; or "));
    found(look(zone({"mail.example.org. A"}, "mail.example.org. SERVFAIL\n")), Level::look,
          "DNS does not tell all addresses");
    for (const std::string name : {"mail", "192.0.2.25", "a b.example", ""}) {
        server_.helo = name;
        found(look(zone()), Level::bad, "which is no host's full name");
    }
}

TEST_F(PublicServerTest, TakesTheAddressesOfItsNameWhereItHasNoneOfItsOwn) {
    server_.addresses.clear();
    const auto findings = look(zone());
    EXPECT_TRUE(found(findings, Level::note, "no public address of its own").find("--address") !=
                std::string::npos);
    found(findings, Level::good, "192.0.2.25 is called mail.example.org");
}

TEST_F(PublicServerTest, WantsReverseNamesThatLeadBack) {
    EXPECT_TRUE(found(look(zone({"25.2.0.192"})), Level::bad, "192.0.2.25 has no name")
                    .starts_with("25.2.0.192.in-addr.arpa. PTR mail.example.org."));
    EXPECT_TRUE(found(look(zone({"25.2.0.192"}, "25.2.0.192.in-addr.arpa. PTR gone.example.net.\n")),
                      Level::bad, "which does not lead back")
                    .starts_with("gone.example.net. A 192.0.2.25; or "));
    found(look(zone({"25.2.0.192"},
                    "25.2.0.192.in-addr.arpa. PTR h.example.net.\nh.example.net. A 192.0.2.25\n")),
          Level::note, "HELO says mail.example.org");
    found(look(zone({"25.2.0.192"}, "25.2.0.192.in-addr.arpa. SERVFAIL\n")), Level::look,
          "DNS does not answer");
}

TEST_F(PublicServerTest, WantsExchangersThatAreHosts) {
    EXPECT_EQ(found(look(zone({" MX "})), Level::bad, "has no MX record"),
              "example.org. MX 10 mail.example.org.");
    found(look(zone({" MX "}, "example.org. A 192.0.2.25\n")), Level::good,
          "which counts then, is of this host");
    found(look(zone({" MX "}, "example.org. MX 0 .\n")), Level::bad, "a null MX");
    found(look(zone({" MX "}, "example.org. MX 5 192.0.2.25.\n")), Level::bad, "is no name of a host");
    EXPECT_TRUE(found(look(zone({" MX "}, "example.org. MX 5 mx.example.org.\n")), Level::bad,
                      "the MX mx.example.org of example.org has no address")
                    .starts_with("mx.example.org. A ADDRESS"));
    EXPECT_EQ(
        found(look(zone({" MX "},
                        "example.org. MX 5 mx.example.org.\nmx.example.org. CNAME mail.example.org.\n")),
              Level::look, "is an alias"),
        "example.org. MX 10 mail.example.org.");
    found(look(zone({" MX "}, "example.org. MX 5 mx.example.net.\nmx.example.net. A 198.51.100.1\n")),
          Level::look, "mail for example.org is sent to mx.example.net and not to this host");
    server_.domains[0].receives = false;
    EXPECT_FALSE(has_worse(look(zone({" MX "})), "MX"));
}

TEST_F(PublicServerTest, SaysWhichSpfRecordToPublish) {
    EXPECT_EQ(found(look(zone({"example.org. TXT \"v=spf1 mx"})), Level::bad, "has no SPF record"),
              "example.org. TXT \"v=spf1 mx -all\"");
    EXPECT_EQ(
        found(look(zone({"v=spf1 mx"}, "example.org. TXT \"v=spf1 ip4:198.51.100.1 ~all\"\n")), Level::bad,
              "does not let 192.0.2.25 send: softfail"),
        "example.org. TXT \"v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 ip4:198.51.100.1 ~all\", in the place of "
        "what is there");
    EXPECT_EQ(found(look(zone({"v=spf1 mx"}, "example.org. TXT \"v=spf1 mx nonsense -all\"\n")), Level::bad,
                    "cannot be used"),
              "example.org. TXT \"v=spf1 mx -all\", in the place of what is there");
    found(look(zone({}, "example.org. TXT \"v=spf1 -all\"\n")), Level::bad, "cannot be used");
    found(look(zone({"v=spf1 mx"}, "example.org. TXT \"v=spf1 +all\"\n")), Level::look,
          "lets everybody send");
    found(look(zone({"v=spf1 mx", " MX "},
                    "example.org. MX 1 x.example.net.\nx.example.net. A 198.51.100.1\n")),
          Level::bad, "has no SPF record");
}

TEST_F(PublicServerTest, ComparesKeysWithTheirRecords) {
    EXPECT_TRUE(found(look(zone({"_domainkey"})), Level::bad, "not published: what it signs fails everywhere")
                    .starts_with("s1._domainkey.example.org. IN TXT ( \"v=DKIM1; k=ed25519; p="));
    const auto other = authres::PrivateKey::make(authres::KeyType::ed25519);
    found(look(zone({"_domainkey"},
                    "s1._domainkey.example.org. TXT \"" + authres::key_record_text(*other) + "\"\n")),
          Level::bad, "another key is published");
    found(look(zone({"_domainkey"}, "s1._domainkey.example.org. TXT \"" + record_ + "; t=y\"\n")),
          Level::look, "in test mode");
    server_.domains[0].keys[0].signs = false;
    const auto waiting = look(zone({"_domainkey"}));
    EXPECT_EQ(found(waiting, Level::bad, "is not signed"), "dkim-key use example.org");
    found(waiting, Level::note, "it does not sign yet");
    server_.domains[0].keys.clear();
    EXPECT_TRUE(found(look(zone()), Level::bad, "is not signed").starts_with("dkim-key make"));
    server_.domains[0].trouble = "unable to open it";
    found(look(zone()), Level::unseen, "the keys of example.org cannot be looked at");
}

TEST_F(PublicServerTest, FindsShortKeys) {
    const auto key = authres::PrivateKey::make(authres::KeyType::rsa);
    record_ = authres::key_record_text(*key);
    server_.domains[0].keys = {{"s1", 1024, record_, true}};
    EXPECT_EQ(found(look(zone()), Level::look, "has 1024 bits"), "dkim-key rotate example.org");
}

TEST_F(PublicServerTest, SaysWhichDmarcRecordToPublish) {
    EXPECT_EQ(found(look(zone({"_dmarc"})), Level::bad, "has no DMARC record"),
              "_dmarc.example.org. TXT \"v=DMARC1; p=none; rua=mailto:postmaster@example.org\"");
    const auto with = [&](const std::string& text) {
        return look(zone({"_dmarc"}, "_dmarc.example.org. TXT \"v=DMARC1; " + text + "\"\n"));
    };
    found(with("p=none; rua=mailto:a@example.org"), Level::note, "asks for reports only");
    found(with("p=quarantine"), Level::note, "names nobody who gets reports");
    found(with("p=nonsense"), Level::bad, "cannot be used");
    found(with("p=reject; t=y; rua=mailto:a@example.org"), Level::note, "in test mode");
    found(look(zone({}, "_dmarc.example.org. TXT \"v=DMARC1; p=none\"\n")), Level::bad,
          "several DMARC records");
    const std::string elsewhere = "p=reject; rua=mailto:a@example.net!10m";
    EXPECT_EQ(found(with(elsewhere), Level::look, "does not say that it takes DMARC reports"),
              "example.org._report._dmarc.example.net. TXT \"v=DMARC1\"");
    EXPECT_FALSE(has_worse(
        look(zone({"_dmarc"}, "_dmarc.example.org. TXT \"v=DMARC1; " + elsewhere +
                                  "\"\nexample.org._report._dmarc.example.net. TXT \"v=DMARC1\"\n")),
        "DMARC"));
    server_.domains[0] = {"sub.example.org", false, {}};
    found(look(zone()), Level::good, "by the record of example.org");
}

TEST_F(PublicServerTest, LooksAtTheCertificate) {
    found(look(zone()), Level::look, "the certificate ends in");
    found(look(zone()), Level::look, "is signed by itself");
    server_.certificate = tls::TestCertificate::make("other.example.org").chain;
    EXPECT_TRUE(
        found(look(zone()), Level::look, "is not for mail.example.org").ends_with("-d mail.example.org"));
    server_.certificate = "nonsense";
    found(look(zone()), Level::bad, "there is no certificate");
    server_.certificate_trouble = "unable to open it";
    found(look(zone()), Level::unseen, "cannot be looked at");
}

TEST_F(PublicServerTest, ComparesTlsaRecordsWithTheCertificate) {
    TestDns dns(zone());
    const std::string place = "_25._tcp.mail.example.org", other(64, 'a');
    dns.tlsa[place] = "3 1 1 " + key_hash(server_.certificate);
    found(look(dns), Level::good, "fit the certificate");
    dns.tlsa[place] = "3 1 1 " + other;
    EXPECT_EQ(found(look(dns), Level::bad, "no TLSA record"),
              "_25._tcp.mail.example.org. TLSA 3 1 1 " + key_hash(server_.certificate));
    dns.tlsa[place] = "2 1 1 " + other;
    found(look(dns), Level::note, "name an authority");
    dns.secure = false;
    found(look(dns), Level::note, "DNSSEC does not vouch");
}

TEST_F(PublicServerTest, HoldsItsServersAgainstThePolicyThatIsPublished) {
    const std::string published = zone({}, "_mta-sts.example.org. TXT \"v=STSv1; id=1\"\n");
    using State = sts::Found::State;
    EXPECT_FALSE(has_worse(look(zone()), "MTA-STS,"));
    found(look(published, {State::unknown}), Level::note, "was not looked at");
    EXPECT_TRUE(found(look(published, {State::none, {}, 0, "404"}), Level::bad, "cannot be had: 404")
                    .find("https://mta-sts.example.org/.well-known/mta-sts.txt") != std::string::npos);
    const auto with = [&](sts::Mode mode, const std::string& server) {
        return look(published, {State::policy, {mode, 86400, {server}}, 0, ""});
    };
    found(with(sts::Mode::enforce, "mail.example.org"), Level::good, "(MTA-STS, enforce) admits its servers");
    EXPECT_EQ(found(with(sts::Mode::enforce, "mx.example.org"), Level::bad, "does not admit its MX"),
              "mx: mail.example.org in the policy, and a new id in _mta-sts.example.org");
    found(with(sts::Mode::testing, "mx.example.org"), Level::look, "does not admit its MX");
    server_.certificate = tls::TestCertificate::make("other.example.org").chain;
    found(with(sts::Mode::enforce, "mail.example.org"), Level::bad,
          "as the domain's policy (MTA-STS) demands");
    found(look(zone({}, "_mta-sts.example.org. TXT \"v=STSv1\"\n")), Level::bad, "none of MTA-STS");
}

TEST_F(PublicServerTest, ShowsNothingThatMovesACursor) {
    const auto findings =
        look(zone({"v=spf1 mx"}, "example.org. TXT \"v=spf1 exists:\\027[2J.example.org -all\"\n"));
    for (const PublicFinding& each : findings)
        for (const char c : each.text + each.remedy) EXPECT_TRUE(c >= 32 && c < 127) << each.text;
}

TEST(LeavingAddresses, AreThoseOfOutgoingipAndIpversions) {
    const std::vector<std::string> own{"192.0.2.1", "192.0.2.2", "2001:db8::1"};
    EXPECT_EQ(leaving_addresses(own, {}, "64"), own);
    EXPECT_EQ(leaving_addresses(own, {}, "4"), (std::vector<std::string>{"192.0.2.1", "192.0.2.2"}));
    EXPECT_EQ(leaving_addresses(own, {"192.0.2.2"}, "46"),
              (std::vector<std::string>{"192.0.2.2", "2001:db8::1"}));
    EXPECT_EQ(leaving_addresses(own, {"192.0.2.2", "2001:DB8::2"}, "46"),
              std::vector<std::string>{"192.0.2.2"});
    EXPECT_EQ(leaving_addresses(own, {"10.0.0.1"}, "4"), std::vector<std::string>{});
}

}  // namespace
}  // namespace relais::setup
