#include "base/classic_errno.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/error.h"

namespace relais {
namespace {

TEST(ClassicErrnoText, HasTheWordsOfQmailFirst) {
    EXPECT_EQ(classic_errno_text(ENOENT), "file does not exist (No such file or directory)");
    EXPECT_EQ(classic_errno_text(EACCES), "access denied (Permission denied)");
    EXPECT_EQ(classic_errno_text(EISDIR), "is a directory");
    EXPECT_EQ(classic_errno_text(EIO), "input/output error");
    EXPECT_EQ(classic_errno_text(ENOSPC), "out of disk space (No space left on device)");
    EXPECT_EQ(classic_errno_text(EXDEV), errno_text(EXDEV));
}

}  // namespace
}  // namespace relais
