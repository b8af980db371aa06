#include "base/overwriting_memory.h"

#include <gtest/gtest.h>

#include <cstring>

namespace relais {
namespace {

TEST(OverwritingMemory, WhatMovesKeepsItsContent) {
    auto* block = static_cast<char*>(resize_memory(nullptr, 5));
    std::memcpy(block, "text", 5);
    for (const std::size_t size : {100, 100000, 5}) {
        block = static_cast<char*>(resize_memory(block, size));
        ASSERT_NE(block, nullptr);
        EXPECT_STREQ(block, "text");
    }
    EXPECT_EQ(resize_memory(block, 0), nullptr);
    release_memory(nullptr);
}

}  // namespace
}  // namespace relais
