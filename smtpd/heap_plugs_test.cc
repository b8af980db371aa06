#include "smtpd/heap_plugs.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <unordered_set>

namespace relais::smtpd {
namespace {

// As control files are read: many small strings, and what they replace goes.
std::unordered_set<std::string> names(int count) {
    std::unordered_set<std::string> all;
    for (int i = 0; i < count; ++i) all.insert("a-domain-of-some-length-" + std::to_string(i) + ".example");
    return all;
}

TEST(HeapPlugs, HeapDoesNotGrowHoweverOftenFilesChange) {
#ifdef RELAIS_SANITIZED
    GTEST_SKIP() << "the sanitizer's allocator has no such heap";
#endif
    HeapPlugs plugs;
    std::unordered_set<std::string> current = names(500);
    std::size_t after_some = 0;
    for (int round = 0; round < 300; ++round) {
        plugs.give_back();
        current = names(100 + round * 37 % 500);
        plugs.take();
        if (round == 50) after_some = ::mallinfo2().arena;
    }
    EXPECT_LE(::mallinfo2().arena, after_some + 262144);
}

TEST(HeapPlugs, LeavesNoHole) {
#ifdef RELAIS_SANITIZED
    GTEST_SKIP() << "the sanitizer's allocator has no such heap";
#endif
    auto first = names(1000);
    const auto second = names(1000);
    first.clear();
    HeapPlugs plugs;
    plugs.take();
    const auto info = ::mallinfo2();
    EXPECT_EQ(info.fordblks, info.keepcost);
}

}  // namespace
}  // namespace relais::smtpd
