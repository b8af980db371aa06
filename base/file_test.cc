#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/fd.h"

namespace relais {
namespace {

class FileTest : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/file_test.XXXXXX";
        directory_ = ::mkdtemp(name);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::string path(const char* name) const { return directory_ + "/" + name; }

    std::string directory_;
};

TEST_F(FileTest, AReplacedFileHasItsOwnerBeforeItHasItsName) {
    replace_file(path("passwd"), "old", 0600);
    bool prepared = false;
    replace_file(path("passwd"), "new", 0600, [&](int fd) {
        prepared = true;
        EXPECT_EQ(read_file(path("passwd"), 100), "old");
        EXPECT_FALSE(is_named(fd, path("passwd")));
        EXPECT_EQ(::fchmod(fd, 0640), 0);
    });
    EXPECT_TRUE(prepared);
    EXPECT_EQ(read_file(path("passwd"), 100), "new");
    struct stat info {};
    ASSERT_EQ(::stat(path("passwd").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777U, 0640U);
    EXPECT_THROW(replace_file(path("passwd"), "newer", 0600, [](int) { throw_errno("refuse", "it", EPERM); }),
                 Error);
    EXPECT_EQ(read_file(path("passwd"), 100), "new");
}

TEST_F(FileTest, AFileThatWasReplacedIsNotNamedAnyMore) {
    std::ofstream(path("a")) << "a";
    std::filesystem::create_symlink("a", path("link"));
    const Fd fd(::open(path("a").c_str(), O_RDONLY));
    EXPECT_TRUE(is_named(fd.get(), path("a")));
    EXPECT_TRUE(is_named(fd.get(), path("link")));
    replace_file(path("a"), "b", 0600);
    EXPECT_FALSE(is_named(fd.get(), path("a")));
    EXPECT_FALSE(is_named(fd.get(), path("none")));
}

}  // namespace
}  // namespace relais
