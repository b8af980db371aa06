#include "tls/family_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace relais::tls::family {
namespace {

std::uintptr_t page_of(const void* block) {
    return reinterpret_cast<std::uintptr_t>(block) / 4096;
}

// Runs it in a child; true if that went well.
template <class Work>
bool holds_in_child(Work work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        begin_family_child();
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
            void* const block = allocate(20000);
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

TEST(FamilyMemory, NothingAndTooMuch) {
    EXPECT_EQ(allocate(0), nullptr);
    EXPECT_EQ(allocate(SIZE_MAX), nullptr);
    release(nullptr);
    void* const block = resize(nullptr, 10);
    EXPECT_EQ(resize(block, SIZE_MAX), nullptr);
    EXPECT_EQ(resize(block, 0), nullptr);
}

}  // namespace
}  // namespace relais::tls::family
