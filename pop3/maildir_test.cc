#include "pop3/maildir.h"

#include <gtest/gtest.h>

#include <ctime>

#include "base/error.h"
#include "pop3/test_maildir.h"

namespace relais::pop3 {
namespace {

std::vector<std::string> names(Maildir& maildir) {
    std::vector<std::string> all;
    for (const StoredMessage& message : maildir.messages()) all.push_back(message.path());
    return all;
}

TEST(Maildir, OldestFirstAndOnlyFiles) {
    TestMaildir place;
    place.add("new/3.c.host", "x\n", 300);
    place.add("cur/1.a.host:2,S", "x\n", 100);
    place.add("cur/2.b.host:2,", "x\n", 200);
    place.add("new/.hidden", "x\n");
    ::mkdir((place.path() + "/cur/folder").c_str(), 0700);
    ::mkfifo((place.path() + "/cur/pipe").c_str(), 0600);
    Maildir maildir(place.path());
    EXPECT_EQ(names(maildir),
              (std::vector<std::string>{"cur/1.a.host:2,S", "cur/2.b.host:2,", "new/3.c.host"}));
}

TEST(Maildir, IsOneOrThrows) {
    TestMaildir place;
    std::filesystem::remove(place.path() + "/cur");
    EXPECT_THROW(Maildir(place.path()), Error);
    EXPECT_THROW(Maildir(place.path() + "/nowhere"), Error);
}

TEST(Maildir, AMessageSeenTwiceIsOne) {
    TestMaildir place;
    place.add("new/1.a.host", "x\n");
    place.add("cur/1.a.host:2,S", "x\n");
    Maildir maildir(place.path());
    EXPECT_EQ(names(maildir), (std::vector<std::string>{"cur/1.a.host:2,S"}));
}

TEST(Maildir, SizesAreThoseOfWhatIsSent) {
    TestMaildir place;
    place.add("cur/1.a", "A: b\n\nx\n", 1);        // 8 and 3 line ends
    place.add("cur/2.a", "A: b\r\n\r\nx\r\n", 2);  // 11
    place.add("cur/3.a", "A: b\n\nx", 3);          // 7, 2 line ends, and one that is missing
    place.add("cur/4.a,S=8,W=12345:2,S", "A: b\n\nx\n", 4);
    Maildir maildir(place.path());
    maildir.count_sizes();
    std::vector<std::uint64_t> sizes;
    for (const StoredMessage& message : maildir.messages()) sizes.push_back(message.size);
    EXPECT_EQ(sizes, (std::vector<std::uint64_t>{11, 11, 11, 12345}));
    EXPECT_EQ(maildir.totals().count, 4U);
    EXPECT_EQ(maildir.totals().octets, 12378U);
}

TEST(Maildir, OldFilesInTmpGo) {
    TestMaildir place;
    place.add("tmp/old", "x", std::time(nullptr) - 37 * 3600);
    place.add("tmp/young", "x", std::time(nullptr) - 35 * 3600);
    Maildir maildir(place.path());
    EXPECT_FALSE(place.has("tmp/old"));
    EXPECT_TRUE(place.has("tmp/young"));
}

TEST(Maildir, UniqueIdsLastWhenFlagsChange) {
    StoredMessage message;
    message.name = "1.M2P3.host";
    EXPECT_EQ(Maildir::unique_id(message), "1.M2P3.host");
    message.name = "1.M2P3.host:2,RS";
    EXPECT_EQ(Maildir::unique_id(message), "1.M2P3.host");
    message.name = std::string(71, 'a') + ":2,S";
    const std::string of_long = Maildir::unique_id(message);
    EXPECT_EQ(of_long.size(), 32U);
    message.name = std::string(72, 'a');
    EXPECT_NE(Maildir::unique_id(message), of_long);
    message.name = "with space";
    EXPECT_EQ(Maildir::unique_id(message).size(), 32U);
}

TEST(Maildir, FindsWhatAnotherProgramHasRenamed) {
    TestMaildir place;
    place.add("new/1.a", "A: b\n\n", 1);
    place.add("new/2.a", "A: b\n\n", 2);
    Maildir maildir(place.path());
    place.rename("new/1.a", "cur/1.a:2,FS");
    place.remove("new/2.a");
    EXPECT_TRUE(maildir.open(maildir.messages()[0]));
    maildir.may_look_again();
    EXPECT_FALSE(maildir.open(maildir.messages()[1]));
    maildir.messages()[0].deleted = maildir.messages()[1].deleted = true;
    EXPECT_TRUE(maildir.update());
    EXPECT_FALSE(place.has("cur/1.a:2,FS"));
}

TEST(Maildir, UpdateRemovesAndMoves) {
    TestMaildir place;
    place.add("new/1.a", "x\n", 1);
    place.add("new/2.a", "x\n", 2);
    place.add("new/3.a", "x\n", 3);
    place.add("cur/4.a:2,F", "x\n", 4);
    Maildir maildir(place.path());
    maildir.messages()[0].deleted = true;
    maildir.messages()[1].retrieved = true;
    EXPECT_TRUE(maildir.update());
    EXPECT_FALSE(place.has("new/1.a"));
    EXPECT_TRUE(place.has("cur/2.a:2,S"));
    EXPECT_TRUE(place.has("cur/3.a:2,"));
    EXPECT_TRUE(place.has("cur/4.a:2,F"));
}

}  // namespace
}  // namespace relais::pop3
