#include "control/directory_watch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "control/control_file.h"

namespace relais::control {
namespace {

namespace fs = std::filesystem;

class DirectoryWatchTest : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/relais-watch.XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        home_ = name;
        directory_ = home_ + "/control";
        fs::create_directory(directory_);
    }
    void TearDown() override { fs::remove_all(home_); }

    std::string file(const std::string& name) const { return directory_ + "/" + name; }
    static void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

    std::string home_;
    std::string directory_;
};

TEST_F(DirectoryWatchTest, SeesEveryKindOfChangeAtOnce) {
    write(file("me"), "one\n");
    DirectoryWatch directory({directory_});
    ChangeWatch watch(file("me"));
    const auto changed = [&] {
        directory.look();
        return watch.changed();
    };
    EXPECT_TRUE(changed());
    EXPECT_FALSE(changed());
    write(file("me"), "two\n");  // within the same tick, the same size
    EXPECT_TRUE(changed());
    write(file("new"), "three\n");
    fs::rename(file("new"), file("me"));
    EXPECT_TRUE(changed());
    fs::remove(file("me"));
    EXPECT_TRUE(changed());
    write(file("me"), "four\n");
    EXPECT_TRUE(changed());
}

TEST_F(DirectoryWatchTest, TheDirectoryItselfIsCovered) {
    DirectoryWatch directory({directory_});
    ChangeWatch watch(directory_);
    EXPECT_TRUE(watch.changed());
    EXPECT_FALSE(watch.changed());
    write(file("me"), "one\n");
    EXPECT_FALSE(watch.changed());
    directory.look();
    EXPECT_TRUE(watch.changed());
}

TEST_F(DirectoryWatchTest, WithoutALookNothingIsAskedOfTheFile) {
    write(file("me"), "one\n");
    DirectoryWatch directory({directory_});
    ChangeWatch watch(file("me"));
    EXPECT_TRUE(watch.changed());
    write(file("me"), "another\n");
    EXPECT_FALSE(watch.changed());
    directory.look();
    EXPECT_TRUE(watch.changed());
}

TEST_F(DirectoryWatchTest, FilesElsewhereAndLinksAreLookedAtEachTime) {
    write(home_ + "/target", "one\n");
    fs::create_symlink(home_ + "/target", file("me"));
    DirectoryWatch directory({directory_});
    ChangeWatch link(file("me"));
    ChangeWatch other(home_ + "/target");
    link.changed();
    other.changed();
    write(home_ + "/target", "longer\n");
    EXPECT_TRUE(link.changed());
    EXPECT_TRUE(other.changed());
}

TEST_F(DirectoryWatchTest, AChildSeesWhatItsParentFound) {
    write(file("me"), "one\n");
    DirectoryWatch directory({directory_});
    ChangeWatch watch(file("me"));
    watch.changed();
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        char octet = 0;
        if (::read(ready[0], &octet, 1) != 1) ::_exit(2);
        ::_exit(watch.changed() ? 0 : 1);
    }
    write(file("me"), "another\n");
    directory.look();
    ASSERT_EQ(::write(ready[1], "x", 1), 1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

// As when control/ as a whole is exchanged: the watch is on the old one.
TEST_F(DirectoryWatchTest, AReplacedDirectoryIsLookedAtEachTime) {
    write(file("me"), "one\n");
    DirectoryWatch directory({directory_});
    ChangeWatch watch(file("me"));
    watch.changed();
    fs::rename(directory_, home_ + "/old");
    fs::create_directory(directory_);
    write(file("me"), "a new one\n");
    directory.look();
    EXPECT_TRUE(watch.changed());
    write(file("me"), "and another\n");
    EXPECT_TRUE(watch.changed());
}

}  // namespace
}  // namespace relais::control
