#include "policy/chain.h"

#include <gtest/gtest.h>

#include "opensmtp/store.h"
#include "smtpd/test_home.h"

namespace relais::policy {
namespace {

class ChainTest : public testing::Test {
  protected:
    ChainTest() {
        files.control("rcpthosts", "mail.test\n");
        files.control("checks", "");
        client.ip = "192.0.2.7";
        client.local_ip = "192.0.2.1";
    }

    Verdict judge(std::string_view helo, std::string_view sender, std::string_view recipient) {
        const Settings settings = Settings::read(files.home());
        Policy policy(files.home());
        Chain chain(policy, settings, client);
        chain.heard_helo(helo);
        chain.heard_mail(sender);
        return chain.judge(recipient);
    }
    Verdict judge_helo(std::string_view helo) { return judge(helo, "a@b.example", "joe@mail.test"); }

    smtpd::TestHome files;
    Client client;
};

TEST_F(ChainTest, WithoutAWordAStrangerMaySayOurName) {
    EXPECT_TRUE(judge_helo("mail.test").passes());
    EXPECT_EQ(judge_helo("mail.test").suspicion, "");
}

TEST_F(ChainTest, OurNameInEachMode) {
    files.control("checks", "heloself log\n");
    EXPECT_TRUE(judge_helo("mail.test").passes());
    EXPECT_EQ(judge_helo("mail.test").suspicion, "the HELO name is ours (heloself)");
    files.control("checks", "heloself tag\n");
    EXPECT_TRUE(judge_helo("Mail.Test").passes());
    EXPECT_EQ(judge_helo("Mail.Test").fields,
              std::vector<std::string>{"X-Relais-Suspect: heloself; the HELO name is ours\n"});
    files.control("checks", "heloself defer\n");
    EXPECT_EQ(judge_helo("mail.test").reply, "450 sorry, that HELO name is mine and not yours (#4.7.1)");
    EXPECT_EQ(judge_helo("mail.test").answer, Answer::defer);
    files.control("checks", "heloself refuse\n");
    const Verdict verdict = judge_helo("mail.test");
    EXPECT_EQ(verdict.reply, "553 sorry, that HELO name is mine and not yours (#5.7.1)");
    EXPECT_EQ(verdict.answer, Answer::refuse);
    EXPECT_EQ(verdict.check, "heloself");
    EXPECT_TRUE(verdict.fields.empty());
}

TEST_F(ChainTest, WhatNamesUs) {
    files.control("checks", "heloself refuse\n");
    files.control("smtpgreeting", "mx.mail.test hello\n");
    files.control("helohost", "out.mail.test\n");
    for (const char* name : {"mail.test", "MX.mail.test", "out.mail.test", "[192.0.2.1]", "192.0.2.1"})
        EXPECT_FALSE(judge_helo(name).passes()) << name;
    for (const char* name : {"other.test", "[192.0.2.7]", "a.mail.test", ""})
        EXPECT_TRUE(judge_helo(name).passes()) << name;
}

TEST_F(ChainTest, OurNameIsFreeForThisHostAndForThoseWhoMayRelay) {
    files.control("checks", "heloself refuse\n");
    for (const char* ip : {"127.0.0.1", "::1", "192.0.2.1"}) {
        client.ip = ip;
        EXPECT_TRUE(judge_helo("mail.test").passes()) << ip;
    }
    client.ip = "192.0.2.7";
    EXPECT_FALSE(judge_helo("mail.test").passes());
    client.user = "joe@mail.test";
    EXPECT_TRUE(judge_helo("mail.test").passes());
    client.user.reset();
    client.relayclient = "";
    EXPECT_TRUE(judge_helo("mail.test").passes());
}

TEST_F(ChainTest, PostmasterAndAbuseHearEverybody) {
    files.control("checks", "heloself refuse\n");
    files.control("badmailfrom", "@b.example\n");
    files.control("badrcptto", "*\n");
    files.control("badhelo", "*\n");
    files.control("badmailfromnorelay", "*\n");
    for (const char* recipient : {"postmaster", "Postmaster@mail.test", "abuse@MAIL.test"})
        EXPECT_TRUE(judge("mail.test", "a@b.example", recipient).passes()) << recipient;
    EXPECT_FALSE(judge("mail.test", "a@b.example", "joe@mail.test").passes());
    EXPECT_FALSE(judge("x", "", "abuse@foreign.example").passes());
}

TEST_F(ChainTest, TheVerdictNamesTheLine) {
    files.control("badrcptto", "# gone\n*@mail.test\n");
    const Verdict verdict = judge_helo("x");
    EXPECT_EQ(verdict.check, "badrcptto");
    EXPECT_EQ(verdict.entry, "*@mail.test");
    EXPECT_EQ(verdict.cause, Cause::check);
}

TEST_F(ChainTest, AnInstanceThatIsOlderThanTheChecksIsAsItWas) {
    std::filesystem::remove(files.home().control_file("checks"));
    for (const char* name : {"badhelo", "badrcptto", "badmailfromnorelay"}) files.control(name, "*\n");
    client.rblsmtpd = "-no";
    EXPECT_TRUE(judge_helo("x").passes());
    files.control("badmailfrom", "a@b.example\n");
    EXPECT_EQ(judge_helo("x").check, "badmailfrom");
    EXPECT_TRUE(judge("x", "a@b.example", "postmaster@mail.test").passes());
    EXPECT_FALSE(judge("x", "a@b.example", "abuse@mail.test").passes());
    files.control("checks", "");
    EXPECT_TRUE(judge("x", "a@b.example", "abuse@mail.test").passes());
    EXPECT_EQ(judge_helo("x").check, "rblsmtpd");
}

TEST_F(ChainTest, ATagIsOneLineWhateverAClientSays) {
    files.control("badmailfrom", "*\n");
    files.control("checks", "badmailfrom tag\n");
    const Verdict verdict = judge("x", "a\r\nb: c@d.example", "joe@mail.test");
    ASSERT_EQ(verdict.fields.size(), 1U);
    EXPECT_EQ(verdict.fields[0].find('\n'), verdict.fields[0].size() - 1);
}

// Nobody answers here in qmail-countd's place.
constexpr const char* cannot_tell_of_hold =
    "450 unable to tell whether mail of this login is held, try again later (#4.3.0)";

TEST_F(ChainTest, WithoutAnAnswerMailOfALoginThatMayBeHeldWaits) {
    files.control("ratelimits", "recipients of login 5/1h\n");
    files.control("checks", "ratelimits refuse\n");
    client.user = "joe@mail.test";
    EXPECT_TRUE(judge_helo("x").passes());
    files.control("ratelimits", "recipients of login 5/1h hold\n");
    const Verdict verdict = judge_helo("x");
    EXPECT_EQ(verdict.reply, cannot_tell_of_hold);
    EXPECT_EQ(verdict.answer, Answer::defer);
    EXPECT_EQ(verdict.held_login, "");
    EXPECT_TRUE(judge("x", "a@b.example", "postmaster@mail.test").passes());
    for (const char* mode : {"ratelimits log\n", "ratelimits refuse pass\n"}) {
        files.control("checks", mode);
        EXPECT_TRUE(judge_helo("x").passes()) << mode;
    }
    files.control("checks", "ratelimits refuse\n");
    client.user.reset();
    EXPECT_TRUE(judge_helo("x").passes());
}

TEST_F(ChainTest, WhoHasOpenedTheDoorByPopIsTheLoginThatMayBeHeld) {
    files.control("ratelimits", "recipients of login 5/1h hold\n");
    files.control("checks", "ratelimits refuse\n");
    std::filesystem::create_directory(files.home().path("open-smtp"));
    opensmtp::StoreWriter store(files.home());
    for (const char* user : {"joe@mail.test", "Joe"}) {
        store.put({client.ip, user, "pop3", opensmtp::Moment::now()});
        EXPECT_EQ(judge("x", "a@b.example", "joe@foreign.example").reply, cannot_tell_of_hold) << user;
        EXPECT_EQ(judge_helo("x").why,
                  "qmail-countd does not answer, and the login joe@mail.test may be held");
    }
    client.relayclient = "";
    EXPECT_TRUE(judge_helo("x").passes());
    client.relayclient.reset();
    files.control("ratelimits", "recipients of login 5/1h\n");
    EXPECT_TRUE(judge_helo("x").passes());
    files.control("ratelimits", "recipients of login 5/1h hold\n");
    store.put({client.ip, "", "manual", opensmtp::Moment::now()});
    EXPECT_TRUE(judge_helo("x").passes());
}

TEST_F(ChainTest, EachNameOfControlChecksIsACheck) {
    for (const control::KnownCheck& known : control::known_checks) {
        bool found = false;
        for (const Check& check : checks()) found = found || check.name == known.name;
        EXPECT_TRUE(found) << known.name;
    }
}

}  // namespace
}  // namespace relais::policy
