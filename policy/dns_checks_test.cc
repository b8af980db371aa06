#include <gtest/gtest.h>

#include "authres/zone.h"
#include "policy/chain.h"
#include "smtpd/test_home.h"

namespace relais::policy {
namespace {

constexpr std::string_view zones = R"(
good.example.      MX 10 mx.good.example.
addressed.example. A 192.0.2.80
v6only.example.    AAAA 2001:db8::80
nullmx.example.    MX 0 .
empty.example.     TXT "nothing"
slow.example.      TIMEOUT
7.2.0.192.in-addr.arpa. PTR mx.good.example.
8.2.0.192.in-addr.arpa. PTR forged.example.
9.2.0.192.in-addr.arpa. TIMEOUT
mx.good.example.   A 192.0.2.7
forged.example.    A 192.0.2.99
7.2.0.192.zen.example. A 127.0.0.2
8.2.0.192.zen.example. A 127.0.0.4
8.2.0.192.white.example. A 127.0.5.1
7.2.0.192.dead.example. TIMEOUT
1.0.0.127.dead.example. TIMEOUT
*.all.example.     A 127.0.0.2
7.2.0.192.parked.example. A 198.51.100.1
8.b.d.0.1.0.0.2.zen.example. TXT "below"
7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.example. A 127.0.0.3
spam.example.dbl.example. A 127.0.1.2
other.example.dbl.example. A 127.0.1.3
bad.example.uris.example. A 127.0.0.2
850883a7025b55c65d8bbd47fdc70c0ea40e5752.hashes.example. A 127.0.0.2
)";

class DnsChecks : public testing::Test {
  protected:
    DnsChecks() {
        files.control("rcpthosts", "mail.test\n");
        files.control("checks", "");
        client.ip = "192.0.2.7";
        client.local_ip = "192.0.2.1";
    }

    Verdict judge(std::string_view sender, std::string_view helo = "mx.good.example",
                  std::string_view recipient = "joe@mail.test") {
        const Settings settings = Settings::read(files.home());
        Chain chain(policy, settings, client, &dns);
        chain.heard_helo(helo);
        chain.heard_mail(sender);
        return chain.judge(recipient);
    }
    // What is said of a message behind a recipient that passed.
    Verdict judge_message(std::string_view text, std::string_view sender = "a@good.example") {
        const Settings settings = Settings::read(files.home());
        Chain chain(policy, settings, client, &dns);
        chain.heard_helo("mx.good.example");
        chain.heard_mail(sender);
        EXPECT_TRUE(chain.judge("joe@mail.test").passes());
        if (chain.subjects() != nullptr) chain.subjects()->add(text);
        return chain.judge_message();
    }
    std::string reply(std::string_view sender, std::string_view helo = "mx.good.example") {
        return judge(sender, helo).reply;
    }

    smtpd::TestHome files;
    Client client;
    authres::ZoneDns dns{authres::Zone::parse(zones, "zones")};
    Policy policy{files.home()};
};

TEST_F(DnsChecks, NothingIsAskedUnlessSomebodyAsksForIt) {
    client.ip = "192.0.2.9";
    EXPECT_EQ(reply("x@slow.example"), "");
}

TEST_F(DnsChecks, MfcheckKnowsWhoCanReceive) {
    files.control("checks", "mfcheck refuse\n");
    for (const char* sender :
         {"x@good.example", "x@addressed.example", "x@v6only.example", "", "x@[192.0.2.7]"})
        EXPECT_EQ(reply(sender), "") << sender;
    for (const char* sender : {"x@nullmx.example", "x@empty.example", "x@none.example", "x", "x@a..b"})
        EXPECT_EQ(reply(sender), "553 sorry, your sender's domain cannot receive mail (#5.1.8)") << sender;
    EXPECT_TRUE(judge("x@none.example", "x", "postmaster@mail.test").passes());
    client.relayclient = "";
    EXPECT_EQ(reply("x@none.example"), "");
}

TEST_F(DnsChecks, MfcheckInEachMode) {
    files.control("checks", "mfcheck log\n");
    EXPECT_EQ(judge("x@none.example").suspicion, "the sender's domain none.example does not exist (mfcheck)");
    EXPECT_TRUE(judge("x@none.example").fields.empty());
    files.control("checks", "mfcheck tag\n");
    EXPECT_EQ(judge("x@nullmx.example").fields.size(), 1U);
    files.control("checks", "mfcheck defer\n");
    EXPECT_EQ(reply("x@none.example"), "450 sorry, your sender's domain cannot receive mail (#4.1.8)");
}

TEST_F(DnsChecks, WithoutAnAnswerMailIsDeferredOrPassesAndIsNeverRefused) {
    for (const char* mode : {"mfcheck refuse\n", "mfcheck defer\n", "mfcheck log defer\n"}) {
        files.control("checks", mode);
        EXPECT_EQ(reply("x@slow.example"), "451 unable to look up your sender's domain now (#4.4.3)") << mode;
    }
    for (const char* mode : {"mfcheck refuse pass\n", "mfcheck log\n", "mfcheck tag\n"}) {
        files.control("checks", mode);
        const Verdict verdict = judge("x@slow.example");
        EXPECT_TRUE(verdict.passes()) << mode;
        EXPECT_TRUE(verdict.fields.empty()) << mode;
        EXPECT_NE(verdict.suspicion, "") << mode;
    }
}

TEST_F(DnsChecks, ReverseDns) {
    files.control("checks", "reversedns refuse\n");
    EXPECT_EQ(reply("x@good.example"), "");
    client.ip = "192.0.2.8";
    EXPECT_EQ(reply("x@good.example"), "550 sorry, your address has no name that leads back to it (#5.7.25)");
    EXPECT_EQ(judge("x@good.example").why,
              "the client's name forged.example does not lead back to its address");
    client.ip = "2001:db8::9";
    EXPECT_EQ(judge("x@good.example").why, "the client's address has no name in DNS");
    client.ip = "192.0.2.9";
    EXPECT_EQ(reply("x@good.example"), "451 unable to look up the name of your address now (#4.4.3)");
    files.control("checks", "reversedns log\n");
    EXPECT_EQ(reply("x@good.example"), "");
    client.ip = "192.0.2.8";
    EXPECT_NE(judge("x@good.example").suspicion, "");
    files.control("checks", "reversedns tag\n");
    EXPECT_EQ(judge("x@good.example").fields.size(), 1U);
    files.control("checks", "reversedns defer\n");
    EXPECT_EQ(reply("x@good.example"), "450 sorry, your address has no name that leads back to it (#4.7.25)");
}

TEST_F(DnsChecks, AListRefusesDefersOrTagsByItsScore) {
    files.control("dnsbllist", "-zen.example\n");
    EXPECT_EQ(reply("x@good.example"), "553 sorry, 192.0.2.7 is listed by zen.example (#5.7.1)");
    EXPECT_EQ(judge("x@good.example").why, "score 10: 192.0.2.7 is listed by zen.example (10)");
    files.control("dnsbllist", "zen.example\n");
    EXPECT_EQ(reply("x@good.example"), "450 sorry, 192.0.2.7 is listed by zen.example (#4.7.1)");
    files.control("dnsbllist", "zen.example weight=1 127.0.0.4=20\n");
    EXPECT_EQ(judge("x@good.example").fields,
              std::vector<std::string>{
                  "X-Relais-Suspect: dnsbl; score 1: 192.0.2.7 is listed by zen.example (1)\n"});
    client.ip = "192.0.2.8";
    EXPECT_FALSE(judge("x@good.example").passes());
    client.ip = "192.0.2.77";
    EXPECT_EQ(judge("x@good.example").suspicion, "");
}

TEST_F(DnsChecks, TheModeIsTheMostThatAListCanDo) {
    files.control("dnsbllist", "-zen.example\n");
    files.control("checks", "dnsbl defer\n");
    EXPECT_EQ(reply("x@good.example"), "450 sorry, 192.0.2.7 is listed by zen.example (#4.7.1)");
    files.control("checks", "dnsbl tag\n");
    EXPECT_EQ(judge("x@good.example").fields.size(), 1U);
    files.control("checks", "dnsbl log\n");
    EXPECT_TRUE(judge("x@good.example").fields.empty());
    EXPECT_NE(judge("x@good.example").suspicion, "");
    files.control("checks", "dnsbl off\n");
    EXPECT_EQ(judge("x@good.example").suspicion, "");
}

TEST_F(DnsChecks, WhiteListsCountAgainst) {
    client.ip = "192.0.2.8";
    files.control("dnsbllist", "-zen.example\n");
    EXPECT_FALSE(judge("x@good.example").passes());
    files.control("dnsbllist", "-zen.example\n+white.example\n");
    EXPECT_TRUE(judge("x@good.example").passes());
}

TEST_F(DnsChecks, ListsKnowIPv6) {
    client.ip = "2001:db8::7";
    files.control("dnsbllist", "-zen.example\n");
    EXPECT_EQ(reply("x@good.example"), "553 sorry, 2001:db8::7 is listed by zen.example (#5.7.1)");
}

TEST_F(DnsChecks, ListsOfDomainsKnowHeloAndSender) {
    files.control("dnsbllist", "-domain:dbl.example\n");
    EXPECT_EQ(reply("x@Spam.example"), "553 sorry, spam.example is listed by dbl.example (#5.7.1)");
    EXPECT_EQ(reply("", "other.example"), "553 sorry, other.example is listed by dbl.example (#5.7.1)");
    for (const char* helo : {"[192.0.2.7]", "192.0.2.7", "nodots", "odd\x01.example", ""})
        EXPECT_EQ(reply("", helo), "") << helo;
}

TEST_F(DnsChecks, AListThatIsSilentTwiceRestsAndIsNamed) {
    files.control("dnsbllist", "-dead.example\n-zen.example\n");
    EXPECT_FALSE(judge("x@good.example").passes());
    const Verdict verdict = judge("x@good.example");
    EXPECT_EQ(verdict.reply, "553 sorry, 192.0.2.7 is listed by zen.example (#5.7.1)");
    EXPECT_EQ(verdict.notices,
              std::vector<std::string>{
                  "alert: the list dead.example does not answer: it is not asked for 10 minutes"});
    EXPECT_TRUE(judge("x@good.example").notices.empty());
}

TEST_F(DnsChecks, AListThatAnswersForEverybodyRestsAndIsNamed) {
    files.control("dnsbllist", "-all.example\n-parked.example\n");
    const Verdict verdict = judge("x@good.example");
    EXPECT_TRUE(verdict.passes());
    EXPECT_EQ(verdict.notices,
              (std::vector<std::string>{
                  "alert: the list all.example lists 127.0.0.1: it is not asked for 10 minutes",
                  "alert: the list parked.example answers 198.51.100.1: it is not asked for 10 minutes"}));
    EXPECT_TRUE(judge("x@good.example").notices.empty());
}

TEST_F(DnsChecks, RblsmtpdOfARuleIsHonoured) {
    files.control("dnsbllist", "-zen.example\n");
    client.rblsmtpd = "";
    EXPECT_EQ(reply("x@good.example"), "");
    client.rblsmtpd = "-go\naway";
    EXPECT_EQ(reply("x@good.example"), "553 go away");
    client.rblsmtpd = "come later";
    EXPECT_EQ(reply("x@good.example"), "451 come later");
    client.user = "joe@mail.test";
    EXPECT_EQ(reply("x@good.example"), "");
}

TEST_F(DnsChecks, HostsOfUrisInTheMessage) {
    constexpr std::string_view text = "From: a@good.example\n\nsee http://www.bad.example/x\n";
    EXPECT_TRUE(judge_message(text).passes());
    files.control("dnsbllist", "-uri:uris.example\n");
    EXPECT_EQ(judge_message(text).reply, "553 sorry, bad.example is listed by uris.example (#5.7.1)");
    EXPECT_TRUE(judge_message("From: a@good.example\n\nhttp://good.example/\n").passes());
    files.control("checks", "dnsbl tag\n");
    EXPECT_EQ(judge_message(text).fields,
              std::vector<std::string>{
                  "X-Relais-Suspect: dnsbl; score 10: bad.example is listed by uris.example (10)\n"});
    files.control("checks", "dnsbl off\n");
    EXPECT_TRUE(judge_message(text).fields.empty());
}

TEST_F(DnsChecks, WhatTheClientScoresCountsForTheMessage) {
    files.control("dnsbllist", "zen.example weight=4\nuri:uris.example weight=6\n");
    EXPECT_EQ(judge_message("From: a@good.example\n\nhttp://bad.example/\n").reply,
              "553 sorry, bad.example is listed by uris.example (#5.7.1)");
    EXPECT_TRUE(judge_message("From: a@good.example\n\nx\n").passes());
}

TEST_F(DnsChecks, HashedAddresses) {
    files.control("dnsbllist", "-hash:hashes.example\n");
    EXPECT_EQ(reply("Drop@Box.example"), "553 sorry, drop@box.example is listed by hashes.example (#5.7.1)");
    EXPECT_EQ(reply("other@box.example"), "");
    EXPECT_EQ(judge_message("From: a@good.example\nReply-To: <DROP@box.example>\n\nx\n").reply,
              "553 sorry, drop@box.example is listed by hashes.example (#5.7.1)");
}

}  // namespace
}  // namespace relais::policy
