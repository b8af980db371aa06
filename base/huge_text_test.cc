#include "base/huge_text.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace relais {
namespace {

// Linked as HUGE_TEXT, so that all of it lies on other pages afterwards where the kernel has them.
TEST(HugeText, ProgramRunsOnAndForks) {
    static const std::string constant = "as before";
    move_text_to_huge_pages();
    move_text_to_huge_pages();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(std::stoi("7"));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    EXPECT_EQ(constant, "as before");
    EXPECT_THROW(static_cast<void>(std::stoi("no number")), std::invalid_argument);
}

}  // namespace
}  // namespace relais
