#include "base/held_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"

namespace relais {
namespace {

namespace fs = std::filesystem;

// DIR/inside is held, DIR/outside is what nothing may reach.
class HeldDirectoryTest : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/relais-held.XXXXXX";
        directory_ = ::mkdtemp(name);
        fs::create_directories(directory_ / "inside/a/b");
        fs::create_directories(directory_ / "outside/b");
        std::ofstream(directory_ / "inside/a/b/file") << "in";
        std::ofstream(directory_ / "outside/file") << "out";
        std::ofstream(directory_ / "outside/b/file") << "out";
    }
    void TearDown() override { fs::remove_all(directory_); }

    fs::path inside(const char* below) const { return directory_ / "inside" / below; }
    HeldDirectory held() const { return HeldDirectory(directory_ / "inside"); }
    // errno of an attempt to open, 0 if it can be opened.
    int opened(const std::string& below, int flags = O_RDONLY) const {
        return held().try_open(below, flags, 0600) ? 0 : errno;
    }
    fs::path directory_;
};

TEST_F(HeldDirectoryTest, ReachesWhatIsBelow) {
    EXPECT_EQ(opened("a/b/file"), 0);
    EXPECT_EQ(opened(""), 0);
    EXPECT_EQ(opened("a/none"), ENOENT);
    EXPECT_EQ(held().directory("a/b").names(), std::vector<std::string>{"file"});
    EXPECT_EQ(held().path_of("a/b"), inside("a/b").native());
    struct stat info {};
    EXPECT_TRUE(held().look("a/b/file", info));
    EXPECT_EQ(info.st_size, 2);
}

TEST_F(HeldDirectoryTest, FollowsNoLinkAtAnyLevel) {
    fs::create_symlink(directory_ / "outside", inside("link"));
    fs::create_symlink("../outside", inside("relative"));
    fs::create_symlink("a", inside("within"));
    fs::create_symlink(directory_ / "outside/file", inside("a/b/last"));
    for (const char* below : {"link/file", "relative/file", "within/b/file", "a/b/last", "link/b/file"})
        EXPECT_EQ(opened(below), ELOOP) << below;
    EXPECT_EQ(opened("link/new", O_WRONLY | O_CREAT), ELOOP);
    EXPECT_EQ(opened("a/b/last", O_WRONLY | O_TRUNC), ELOOP);
    EXPECT_FALSE(fs::exists(directory_ / "outside/new"));
    EXPECT_EQ(fs::file_size(directory_ / "outside/file"), 3U);
    EXPECT_THROW(held().directory("link"), Error);
    EXPECT_THROW(held().make_directory("link/new", 0700), Error);
}

TEST_F(HeldDirectoryTest, DoesNotLeaveUpwards) {
    EXPECT_EQ(opened("../outside/file"), EXDEV);
    EXPECT_EQ(opened("a/../../outside/file"), EXDEV);
    EXPECT_EQ(opened((directory_ / "outside/file").native()), EXDEV);
    struct stat info {};
    EXPECT_FALSE(held().look("..", info));
}

TEST_F(HeldDirectoryTest, LooksAtALinkItself) {
    fs::create_symlink("nowhere", inside("link"));
    struct stat info {};
    ASSERT_TRUE(held().look("link", info));
    EXPECT_TRUE(S_ISLNK(info.st_mode));
    EXPECT_TRUE(held().hold("link"));
    // But not at one behind a link.
    fs::create_symlink(directory_ / "outside", inside("out"));
    EXPECT_FALSE(held().look("out/file", info));
}

TEST_F(HeldDirectoryTest, StaysWithTheDirectoryThatWasOpened) {
    const HeldDirectory a = held().directory("a");
    fs::rename(inside("a"), inside("moved"));
    fs::create_symlink(directory_ / "outside", inside("a"));
    EXPECT_EQ(a.names(), std::vector<std::string>{"b"});
    const Fd file = a.open("b/file", O_RDONLY);
    char text[4] = {};
    EXPECT_EQ(::read(file.get(), text, sizeof text), 2);
}

TEST_F(HeldDirectoryTest, MakesDirectories) {
    held().make_directory("a/new", 0700);
    held().make_directory("a/new", 0700);
    EXPECT_TRUE(fs::is_directory(inside("a/new")));
    EXPECT_THROW(held().make_directory("none/new", 0700), Error);
}

// Directory and link in turn, as fast as somebody can.
TEST_F(HeldDirectoryTest, NeverLeavesThroughAnExchange) {
    std::atomic<bool> over{false};
    fs::create_symlink(directory_ / "outside", inside("link"));
    std::thread exchange([&] {
        while (!over)
            ::renameat2(AT_FDCWD, inside("a").c_str(), AT_FDCWD, inside("link").c_str(), RENAME_EXCHANGE);
    });
    const HeldDirectory directory = held();
    for (int turn = 0; turn < 20000; ++turn) {
        const Fd file = directory.try_open("a/b/file", O_RDONLY);
        char text[4] = {};
        if (file) {
            EXPECT_EQ(::read(file.get(), text, sizeof text), 2);
        }
    }
    over = true;
    exchange.join();
}

}  // namespace
}  // namespace relais
