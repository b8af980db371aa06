#include "queue/drop_intake.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/time.h"
#include "control/owners.h"
#include "queue/drop.h"
#include "queue/protocol.h"
#include "queue/test_home.h"

namespace relais::queue {
namespace {

struct DropHome : TestHome {
    DropHome() {
        ::mkdir(drop().c_str(), 0700);
        ::chmod(drop().c_str(), drop_directory_mode);
        std::filesystem::create_directories(home().path("control"));
        std::ofstream owners(home().control_file("owners"));
        owners << "instance:user\n";
        for (const auto& row : control::roles)
            owners << row.name << ":" << ::geteuid() << ":" << ::getegid() << "\n";
    }
    std::string drop() const { return drop_directory(home()); }
    std::string file(const std::string& name, const std::string& content, mode_t mode = drop_file_mode) {
        const std::string path = drop() + "/" + name;
        std::ofstream(path) << content;
        ::chmod(path.c_str(), mode);
        return path;
    }
};

std::string dropped_name(char digit) {
    return std::string(drop_name_size, digit);
}

std::string whole(const std::string& submission) {
    std::string file = std::string(drop_magic) + std::string(4, '\1') + submission;
    Checksum sum;
    sum.update(file);
    return file + drop_checksum(sum);
}

TEST(Dropped, WhatIsWrongWithAFile) {
    struct stat good {};
    good.st_mode = S_IFREG | 0640;
    good.st_gid = 7;
    good.st_nlink = 1;
    good.st_size = 100;
    EXPECT_EQ(trouble_of_dropped(good, 7), "");
    EXPECT_EQ(trouble_of_dropped(good, 8), "it was not made in that directory");
    struct stat bad = good;
    bad.st_mode = S_IFLNK | 0640;
    EXPECT_EQ(trouble_of_dropped(bad, 7), "it is not a plain file");
    bad = good;
    bad.st_nlink = 2;
    EXPECT_EQ(trouble_of_dropped(bad, 7), "it has a second name");
    bad = good;
    bad.st_mode = S_IFREG | 0644;
    EXPECT_EQ(trouble_of_dropped(bad, 7), "it has another mode than 0640");
    bad = good;
    bad.st_size = static_cast<off_t>(drop_file_limit * 2);
    EXPECT_EQ(trouble_of_dropped(bad, 7), "it is too large");
    bad.st_size = 3;
    EXPECT_EQ(trouble_of_dropped(bad, 7), "it is not whole");
}

TEST(Dropped, NamesAreOursAlone) {
    EXPECT_TRUE(is_drop_name("0123456789abcdef0123456789abcdef"));
    EXPECT_FALSE(is_drop_name("0123456789abcdef0123456789abcdeF"));
    EXPECT_FALSE(is_drop_name("0123456789abcdef0123456789abcde"));
    EXPECT_FALSE(is_drop_name("../3456789abcdef0123456789abcdef"));
}

TEST(Dropped, OwnersTakeTurns) {
    std::vector<Dropped> all;
    for (const auto& [name, uid] :
         {std::pair{"a1", 1}, {"a2", 1}, {"a3", 1}, {"b1", 2}, {"c1", 3}, {"b2", 2}})
        all.push_back({name, static_cast<uid_t>(uid), Fd()});
    std::string order;
    for (const Dropped& each : in_turns(std::move(all))) order += each.name + " ";
    EXPECT_EQ(order, "a1 b1 c1 a2 b2 a3 ");
}

TEST(DropDirectory, NothingWithoutADirectory) {
    const TestHome home;
    EXPECT_EQ(Drop::make(home.home()), nullptr);
    EXPECT_TRUE(DropDirectory(home.home()).look(10, now_seconds()).empty());
}

TEST(DropDirectory, AFileThatIsBeingWrittenIsLeftAlone) {
    const DropHome home;
    DropDirectory directory(home.home());
    const std::int64_t later = now_seconds() + drop_patience + 1;
    auto drop = Drop::make(home.home());
    ASSERT_NE(drop, nullptr);
    drop->write("RQ1s");
    EXPECT_TRUE(directory.look(10, later).empty());
    drop->keep();
    EXPECT_EQ(directory.look(10, later).size(), 1U);
    drop.reset();
    EXPECT_EQ(directory.look(10, later).size(), 1U);
    drop = Drop::make(home.home());
    drop.reset();
    EXPECT_EQ(directory.look(10, later).size(), 1U);
}

TEST(DropDirectory, WhatIsNoneIsRemovedAfterAWhile) {
    DropHome home;
    home.file("name", whole("x"));
    home.file(dropped_name('1'), whole("x"), 0600);
    home.file(dropped_name('2'), "something else, which is long enough");
    home.file(dropped_name('3'), "");
    ::mkdir((home.drop() + "/" + dropped_name('4')).c_str(), 0700);
    ::mkfifo((home.drop() + "/" + dropped_name('5')).c_str(), 0640);
    ASSERT_EQ(::symlink("/etc/passwd", (home.drop() + "/" + dropped_name('6')).c_str()), 0);
    const std::string elsewhere = home.home().path("elsewhere");
    std::ofstream(elsewhere) << whole("x");
    ASSERT_EQ(::link(elsewhere.c_str(), (home.drop() + "/" + dropped_name('7')).c_str()), 0);
    DropDirectory directory(home.home());
    EXPECT_TRUE(directory.look(100, now_seconds()).empty());
    const auto left = [&] {
        return std::distance(std::filesystem::directory_iterator(home.drop()),
                             std::filesystem::directory_iterator());
    };
    EXPECT_EQ(left(), 8);
    EXPECT_TRUE(directory.look(100, now_seconds() + drop_patience + 1).empty());
    // What has another name may be a snapshot's, or somebody else's: nobody loses it.
    EXPECT_EQ(left(), 1);
    EXPECT_TRUE(std::filesystem::exists(elsewhere));
}

// A restored one, or one that its owner has moved there.
TEST(DropDirectory, AFileThatWasMadeElsewhereIsLeftForAPerson) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
    DropHome home;
    const std::string path = home.file(dropped_name('1'), whole("x"));
    ASSERT_EQ(::chown(path.c_str(), 1234, 1234), 0);
    DropDirectory directory(home.home());
    EXPECT_TRUE(directory.look(10, now_seconds() + drop_patience + 1).empty());
    EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(DropDirectory, ManyAreSeenInParts) {
    DropHome home;
    for (int i = 0; i < 10; ++i) home.file(dropped_name(static_cast<char>('0' + i)), whole("x"));
    DropDirectory directory(home.home());
    std::size_t seen = 0;
    int looks = 0;
    do {
        seen += directory.look(4, now_seconds()).size();
        ++looks;
    } while (!directory.at_end() && looks < 20);
    EXPECT_EQ(seen, 10U);
    EXPECT_GT(looks, 2);
}

TEST(DropDirectory, ADirectoryThatOthersMayEmptyIsNotUsed) {
    DropHome home;
    ::chmod(home.drop().c_str(), 0777);
    EXPECT_EQ(Drop::make(home.home()), nullptr);
    home.file(dropped_name('1'), whole("x"));
    EXPECT_TRUE(DropDirectory(home.home()).look(10, now_seconds()).empty());
}

}  // namespace
}  // namespace relais::queue
