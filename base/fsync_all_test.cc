#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <vector>

#include "base/fd.h"
#include "base/sys.h"

namespace relais {
namespace {

std::vector<int> errors_of(const std::vector<int>& files) {
    std::vector<int> errors(files.size(), -1);
    sys::fsync_all(files, errors);
    return errors;
}

// More than are begun at once, of which some cannot be synced: each gets its own answer.
TEST(FsyncAll, AnswersForEachFile) {
    std::vector<Fd> files;
    std::vector<int> numbers;
    std::vector<int> expected;
    for (int i = 0; i < 150; ++i) {
        files.emplace_back(sys::open_unnamed("/tmp", 0600));
        ASSERT_TRUE(files.back());
        ASSERT_EQ(sys::write(files.back().get(), "x", 1), 1);
        numbers.push_back(files.back().get());
        expected.push_back(0);
    }
    const Pipe pipe = make_pipe();
    for (const std::size_t i : {std::size_t{0}, std::size_t{70}, std::size_t{149}}) {
        numbers[i] = pipe.read.get();
        expected[i] = EINVAL;
    }
    numbers[80] = -1;
    expected[80] = EBADF;
    EXPECT_EQ(errors_of(numbers), expected);
    EXPECT_EQ(errors_of({numbers[1]}), std::vector<int>{0});
    EXPECT_EQ(errors_of({-1}), std::vector<int>{EBADF});
    EXPECT_EQ(errors_of({}), std::vector<int>{});
}

TEST(FsyncAll, WorksInAForkedChildToo) {
    const Fd first(sys::open_unnamed("/tmp", 0600));
    const Fd second(sys::open_unnamed("/tmp", 0600));
    const std::vector<int> both{first.get(), second.get()};
    const std::vector<int> good{0, 0};
    EXPECT_EQ(errors_of(both), good);
    const pid_t child = ::fork();
    if (child == 0) ::_exit(errors_of(both) == good ? 0 : 1);
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace relais
