#include "base/own_memory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace relais {
namespace {

// kB of this process's memory that others have changed with it and share. What only a file holds is not its memory: the code of a
// program that has just been linked is dirty too, until the kernel has written it.
std::size_t shared_kilobytes() {
    std::ifstream file("/proc/self/smaps");
    std::size_t sum = 0;
    bool is_memory = false;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string first, second, offset, device, inode;
        words >> first >> second >> offset >> device >> inode;
        if (!first.ends_with(':'))
            is_memory = second.find('w') != std::string::npos || inode == "0";
        else if (is_memory && first == "Shared_Dirty:")
            sum += std::stoul(second);
    }
    return sum;
}

int changed = 1;

TEST(OwnMemory, IsSharedWithNoChildAnyMoreAndHoldsWhatItHeld) {
#ifdef RELAIS_SANITIZED
    GTEST_SKIP() << "a sanitizer's memory stays where it is";
#endif
    changed = 2;
    std::vector<int> numbers(1'000'000);
    std::iota(numbers.begin(), numbers.end(), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) ::pause();
    }
    EXPECT_GE(shared_kilobytes(), 4000U);
    part_from_children();
    // The stack is left as it is.
    EXPECT_LT(shared_kilobytes(), 500U);
    EXPECT_EQ(changed, 2);
    for (int i = 0; i < 1'000'000; ++i) ASSERT_EQ(numbers[static_cast<std::size_t>(i)], i);
    // The heap still grows and shrinks.
    for (std::size_t size = 1; size < 8'000'000; size *= 2) {
        std::string text(size, 'x');
        EXPECT_EQ(text.back(), 'x');
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace relais
