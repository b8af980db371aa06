#include "base/family_memory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace relais {
namespace {

constexpr std::size_t largest_block = FamilyMemory::largest_block;
constinit FamilyMemory by_time{4, FamilyMemory::Order::of_time, FamilyMemory::Pages::small};
constinit FamilyMemory by_size{5, FamilyMemory::Order::of_size, FamilyMemory::Pages::huge};

void* allocate(std::size_t size) {
    return by_size.allocate(size);
}
void* resize(void* block, std::size_t size) {
    return by_size.resize(block, size);
}
void release(void* block) {
    by_size.release(block);
}

std::uintptr_t page_of(const void* block) {
    return reinterpret_cast<std::uintptr_t>(block) / 4096;
}

// Runs it in a child; true if that went well.
template <class Work>
bool holds_in_child(Work work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        FamilyMemory::begin_child();
        ::_exit(work() ? 0 : 1);
    }
    int status = 0;
    return ::waitpid(pid, &status, 0) == pid && status == 0;
}

struct Block {
    char* at;
    std::size_t size;
    char mark;

    void fill() { std::memset(at, mark, size); }
    bool is_whole(std::size_t octets) const {
        return std::count(at, at + octets, mark) == static_cast<std::ptrdiff_t>(octets);
    }
};

TEST(FamilyMemory, BlocksAreAlignedAndApart) {
    std::mt19937 random(7);
    std::vector<Block> blocks;
    for (int i = 0; i < 20000; ++i) {
        const std::size_t size = 1 + random() % (i % 100 == 0 ? 2 * largest_block : 700);
        if (i % 3 != 0 || blocks.empty()) {
            blocks.push_back({static_cast<char*>(allocate(size)), size, static_cast<char>(i)});
        } else {
            std::swap(blocks[random() % blocks.size()], blocks.back());
            Block& block = blocks.back();
            block.at = static_cast<char*>(resize(block.at, size));
            ASSERT_TRUE(block.is_whole(std::min(size, block.size)));
            block.size = size;
        }
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(blocks.back().at) % 16, 0U);
        blocks.back().fill();
        if (i % 5 != 0) continue;
        std::swap(blocks[random() % blocks.size()], blocks.back());
        ASSERT_TRUE(blocks.back().is_whole(blocks.back().size));
        release(blocks.back().at);
        blocks.pop_back();
    }
    for (const Block& block : blocks) {
        ASSERT_TRUE(block.is_whole(block.size));
        release(block.at);
    }
}

TEST(FamilyMemory, EverySizeHasRoom) {
    for (std::size_t size = 1; size <= largest_block + 100; size += size < 1200 ? 1 : 97) {
        char* const first = static_cast<char*>(allocate(size));
        char* const second = static_cast<char*>(allocate(size));
        std::memset(first, 1, size);
        std::memset(second, 2, size);
        ASSERT_EQ(first[size - 1], 1) << size;
        release(first);
        release(second);
    }
}

TEST(FamilyMemory, WhatIsGivenBackIsUsedAgain) {
    void* const first = allocate(100);
    release(first);
    EXPECT_EQ(allocate(100), first);
    release(first);
}

TEST(FamilyMemory, BlocksOfOneSizeLieTogether) {
    std::set<std::uintptr_t> pages;
    for (int i = 0; i < 64; ++i) {
        allocate(300 + 16 * static_cast<std::size_t>(i % 5));
        pages.insert(page_of(allocate(48)));
    }
    EXPECT_LE(pages.size(), 3U);
}

TEST(FamilyMemory, BlocksOfOneTimeLieTogether) {
    std::set<std::uintptr_t> pages;
    for (std::size_t size = 16; size <= 512; size += 16) pages.insert(page_of(by_time.allocate(size)));
    EXPECT_LE(pages.size(), 4U);
}

TEST(FamilyMemory, KnowsItsOwnBlocks) {
    for (const std::size_t size : {std::size_t{10}, 2 * largest_block}) {
        void* const lasting = lasting_memory.allocate(size);
        void* const passing = passing_memory.allocate(size);
        EXPECT_TRUE(lasting_memory.owns(lasting) && passing_memory.owns(passing));
        EXPECT_FALSE(lasting_memory.owns(passing) || passing_memory.owns(lasting));
        lasting_memory.release(lasting);
        passing_memory.release(passing);
    }
}

TEST(FamilyMemory, WhatLastsEndsWithItsScope) {
    EXPECT_FALSE(Lasting::is_wanted);
    {
        const Lasting outer;
        { const Lasting inner; }
        EXPECT_TRUE(Lasting::is_wanted);
    }
    EXPECT_FALSE(Lasting::is_wanted);
}

TEST(FamilyMemory, MoreThanOneRegion) {
    std::vector<char*> blocks;
    for (std::size_t i = 0; i < 3000; ++i) {
        const std::size_t size = i % 2 == 0 ? 400 : 3000;
        blocks.push_back(static_cast<char*>(allocate(size)));
        std::memset(blocks.back(), static_cast<char>(i), size);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        ASSERT_EQ(blocks[i][i % 2 == 0 ? 399 : 2999], static_cast<char>(i));
        release(blocks[i]);
    }
}

TEST(FamilyMemory, ChildLeavesItsParentsPagesAlone) {
    std::vector<char*> parents;
    for (int i = 0; i < 100; ++i) parents.push_back(static_cast<char*>(allocate(64)));
    release(allocate(64));
    EXPECT_TRUE(holds_in_child([&] {
        std::set<std::uintptr_t> theirs;
        for (const char* block : parents) theirs.insert(page_of(block));
        std::memset(parents.front(), 'x', 64);
        release(parents.front());
        for (int i = 0; i < 100; ++i)
            if (theirs.contains(page_of(allocate(64)))) return false;
        return parents.front()[0] == 'x' && parents.front()[63] == 'x';
    }));
}

TEST(FamilyMemory, ChildReusesItsOwn) {
    EXPECT_TRUE(holds_in_child([] {
        std::set<void*> seen;
        for (int i = 0; i < 100000; ++i) {
            void* const block = allocate(i % 2 == 0 ? 20000 : 20001);
            seen.insert(block);
            release(block);
        }
        return seen.size() == 1;
    }));
}

TEST(FamilyMemory, ChildMayEnlargeItsParentsBlock) {
    char* const block = static_cast<char*>(allocate(10));
    std::memcpy(block, "123456789", 10);
    EXPECT_TRUE(holds_in_child([&] {
        char* const more = static_cast<char*>(resize(block, 5000));
        return more != block && std::string(more) == "123456789" && std::string(block) == "123456789";
    }));
}

void give_back_twice() {
    void* const block = allocate(100);
    release(block);
    release(block);
}

void write_beyond_a_block() {
    char* const block = static_cast<char*>(allocate(100));
    void* const next = allocate(100);
    std::memset(block, 'x', 200);
    release(next);
}

TEST(FamilyMemoryDeathTest, MisuseEndsTheProcess) {
    EXPECT_EXIT(give_back_twice(), testing::KilledBySignal(SIGABRT), "");
    EXPECT_EXIT(write_beyond_a_block(), testing::KilledBySignal(SIGABRT), "");
}

TEST(FamilyMemory, NothingAndTooMuch) {
    EXPECT_EQ(allocate(0), nullptr);
    EXPECT_EQ(allocate(SIZE_MAX), nullptr);
    release(nullptr);
    void* const block = resize(nullptr, 10);
    EXPECT_EQ(resize(block, SIZE_MAX), nullptr);
    EXPECT_EQ(resize(block, 0), nullptr);
}

}  // namespace
}  // namespace relais
