#include "base/cdb.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"

namespace relais {
namespace {

class Cdb : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "/cdb.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        path_ = directory_ + "/x.cdb";
        temporary_ = directory_ + "/x.tmp";
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string directory_, path_, temporary_;
};

}  // namespace

TEST_F(Cdb, KeepsWhatWasPutInAndFindsTheFirstOfEqualKeys) {
    {
        CdbWriter writer(path_, temporary_);
        writer.add("a", "first");
        writer.add("a", "second");
        writer.add("", "empty key");
        writer.add(std::string_view("n\0l", 3), std::string_view("\0", 1));
        writer.add("nothing", "");
        writer.commit();
    }
    EXPECT_FALSE(std::filesystem::exists(temporary_));
    const CdbReader reader(path_);
    EXPECT_EQ(reader.find("a"), "first");
    EXPECT_EQ(reader.find(""), "empty key");
    EXPECT_EQ(reader.find(std::string_view("n\0l", 3)), std::string_view("\0", 1));
    EXPECT_EQ(reader.find("nothing"), "");
    EXPECT_FALSE(reader.find("b"));
}

TEST_F(Cdb, LeavesTheOldOneUntilCommit) {
    replace_file(path_, "old", 0644);
    {
        CdbWriter writer(path_, temporary_);
        writer.add("a", "b");
    }
    EXPECT_EQ(read_file(path_, 100), "old");
    EXPECT_FALSE(std::filesystem::exists(temporary_));
}

TEST_F(Cdb, DoesNotFollowATemporaryFileThatIsALink) {
    replace_file(directory_ + "/victim", "precious", 0644);
    std::filesystem::create_symlink(directory_ + "/victim", temporary_);
    EXPECT_THROW(CdbWriter(path_, temporary_), Error);
    EXPECT_EQ(read_file(directory_ + "/victim", 100), "precious");
}

TEST_F(Cdb, RefusesWhatIsNoCdb) {
    EXPECT_THROW(CdbReader{path_}, Error);
    replace_file(path_, "", 0644);
    EXPECT_THROW(CdbReader{path_}, Error);
    replace_file(path_, std::string(5000, '\xff'), 0644);
    EXPECT_THROW(
        {
            const CdbReader reader(path_);
            reader.find("a");
        },
        Error);
}

// Eight processes write the same cdb through the same temporary file: whichever wins, the result is whole.
TEST_F(Cdb, WritersTakeTurns) {
    std::vector<pid_t> children;
    for (int number = 0; number < 8; ++number) {
        children.push_back(::fork());
        if (children.back() != 0) continue;
        for (int round = 0; round < 5; ++round) {
            CdbWriter writer(path_, temporary_);
            for (int key = 0; key < 200; ++key) writer.add(std::to_string(key), std::to_string(number));
            writer.commit();
        }
        ::_exit(0);
    }
    for (const pid_t child : children) {
        int status = -1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    const CdbReader reader(path_);
    const auto winner = reader.find("0");
    ASSERT_TRUE(winner);
    for (int key = 0; key < 200; ++key) EXPECT_EQ(reader.find(std::to_string(key)), winner);
}

}  // namespace relais
