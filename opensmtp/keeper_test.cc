#include <gtest/gtest.h>

#include "opensmtp/server.h"
#include "opensmtp/test_home.h"
#include "opensmtp/tool.h"

namespace relais::opensmtp {
namespace {

class KeeperTest : public testing::Test {
  protected:
    std::optional<Entry> stored(const std::string& address) const {
        return OpenSmtpStore(files.home()).look_up(address);
    }
    std::string import_at(const std::string& address, std::int64_t wall) {
        return keeper.import_one({Verb::import, address, "", "import", wall}).text;
    }
    std::size_t sweep_all(std::int64_t longer) {
        std::size_t removed = 0;
        const auto drop = keeper.expired(longer);
        for (unsigned split = 0; split < store_splits; ++split)
            for (const std::string& address : keeper.addresses(split))
                removed += keeper.remove_if(address, drop) ? 1 : 0;
        return removed;
    }

    TestHome files;
    Moment clock{1'000'000, 50'000, "this-boot"};
    Keeper keeper{files.home(), [this] { return clock; }};
};

TEST_F(KeeperTest, LoginIsRenewed) {
    EXPECT_TRUE(keeper.add("192.0.2.7", "anna", "pop3").ok);
    clock.boot += 10;
    clock.wall += 10;
    EXPECT_TRUE(keeper.add("192.0.2.7", "anna", "imap").ok);
    EXPECT_EQ(stored("192.0.2.7")->login, clock);
    EXPECT_EQ(stored("192.0.2.7")->service, "imap");
}

TEST_F(KeeperTest, NetworkWhereConfigured) {
    files.control("opensmtpprefix6", "64\n");
    EXPECT_EQ(keeper.add("2001:db8:0:1:2:3:4:5", "anna", "pop3").text, "2001:db8:0:1::/64");
    EXPECT_TRUE(stored("2001:db8:0:1::/64"));
    EXPECT_EQ(keeper.add("192.0.2.7", "anna", "pop3").text, "192.0.2.7");
    EXPECT_EQ(keeper.remove("2001:db8:0:1::9").text, "1");
    EXPECT_FALSE(stored("2001:db8:0:1::/64"));
}

TEST_F(KeeperTest, ExcludedLoginOpensNothing) {
    files.control("opensmtpexclude", "192.0.2.0/24\n");
    const Answer answer = keeper.add("192.0.2.7", "anna", "pop3");
    EXPECT_FALSE(answer.ok);
    EXPECT_EQ(answer.text, "192.0.2.7 opens nothing: control/opensmtpexclude has 192.0.2.0/24");
    EXPECT_FALSE(stored("192.0.2.7"));
}

TEST_F(KeeperTest, ImportNeverRenews) {
    EXPECT_EQ(import_at("192.0.2.7", clock.wall - 100), "imported");
    EXPECT_EQ(import_at("192.0.2.7", clock.wall - 200), "newer");
    EXPECT_EQ(import_at("192.0.2.7", clock.wall - 50), "imported");
    EXPECT_EQ(import_at("192.0.2.8", clock.wall - 10800), "expired");
    EXPECT_EQ(import_at("192.0.2.8", clock.wall + 1), "expired");
    EXPECT_FALSE(stored("192.0.2.8"));
    // What was imported ages by the time since boot, too.
    clock.wall -= 86400;
    clock.boot += 10750;
    EXPECT_FALSE(live(*stored("192.0.2.7"), 10800, clock));
}

// As seen with an export that was imported again: the wall clock and the one since boot do not tick together.
TEST_F(KeeperTest, TheSameLoginIsNotImportedAgainAfterATickOfOneClock) {
    const std::int64_t login = clock.wall - 100;
    EXPECT_EQ(import_at("192.0.2.7", login), "imported");
    clock.boot += 1;
    EXPECT_EQ(import_at("192.0.2.7", login), "newer");
    clock.wall += 1;
    EXPECT_EQ(import_at("192.0.2.7", login), "newer");
    EXPECT_EQ(import_at("192.0.2.7", login + 1), "imported");
}

TEST_F(KeeperTest, SweepTakesWhatExpiredAndNothingElse) {
    keeper.add("192.0.2.7", "anna", "pop3");
    clock.boot += 10000;
    keeper.add("192.0.2.8", "anna", "pop3");
    clock.boot += 800;
    clock.wall -= 86400;  // set back: no matter
    EXPECT_EQ(sweep_all(3600), 0U) << "kept a while, to explain refusals";
    EXPECT_EQ(sweep_all(0), 1U);
    EXPECT_FALSE(stored("192.0.2.7"));
    EXPECT_TRUE(stored("192.0.2.8"));
}

// A login after the sweep has made up its mind: the sweep asks again, for it reads and removes in one go.
TEST_F(KeeperTest, SweepNeverTakesARenewedEntry) {
    keeper.add("192.0.2.7", "anna", "pop3");
    clock.boot += 20000;
    const auto drop = keeper.expired(0);
    clock.boot += 5;
    keeper.add("192.0.2.7", "anna", "pop3");
    EXPECT_FALSE(keeper.remove_if("192.0.2.7", drop));
    EXPECT_TRUE(stored("192.0.2.7"));
}

TEST_F(KeeperTest, TextsOfTheTool) {
    keeper.add("192.0.2.7", "anna", "pop3");
    clock.boot += 100;
    clock.wall += 100;
    keeper.add("2001:db8::7", "bob", "imap");
    const auto entries = all_entries(files.home(), clock);
    OpenSmtpSettings settings;
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].address, "2001:db8::7") << "the youngest first";
    EXPECT_NE(list_text(entries, settings, clock).find("1 min ago, 2 h 58 min left"), std::string::npos);
    EXPECT_NE(list_json(entries, settings, clock).find("\"left\": 10700"), std::string::npos);
    EXPECT_EQ(export_text(entries, settings, clock),
              "2001:db8::7:allow,RELAYCLIENT=\"\"\t1000100\n192.0.2.7:allow,RELAYCLIENT=\"\"\t1000000\n");
    settings.lifetime = 50;
    settings.norbl = true;
    EXPECT_EQ(rules_text(entries, settings, clock),
              "2001:db8::7:allow,RELAYCLIENT=\"\",RBLSMTPD=\"\",OPENSMTP=\"1000100\"\n");
}

// The wall clock ticks a moment after the one since boot.
TEST_F(KeeperTest, AnExportedLoginDoesNotDriftWithTheTickOfTheClocks) {
    keeper.add("192.0.2.7", "anna", "pop3");
    const std::string line = "192.0.2.7:allow,RELAYCLIENT=\"\"\t1000000\n";
    for (const std::int64_t tick : {0, 1}) {
        clock.wall += tick;
        EXPECT_EQ(export_text(all_entries(files.home(), clock), {}, clock), line);
    }
    // A clock that was set is another matter.
    clock.wall += 3600;
    EXPECT_EQ(export_text(all_entries(files.home(), clock), {}, clock),
              "192.0.2.7:allow,RELAYCLIENT=\"\"\t1003601\n");
}

}  // namespace
}  // namespace relais::opensmtp
