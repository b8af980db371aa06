#include "control/block_lists.h"

#include <gtest/gtest.h>

namespace relais::control {
namespace {

using Score = std::optional<int>;

BlockList only(std::string line) {
    const BlockLists lists({std::move(line)});
    EXPECT_EQ(lists.lists().size(), 1U);
    return lists.lists().empty() ? BlockList{} : lists.lists().front();
}

TEST(BlockLists, APlainLineAndTheSignsOfThePatches) {
    EXPECT_EQ(only("Zen.Example.").zone, "zen.example");
    EXPECT_EQ(only("zen.example").score("127.0.0.2"), Score(5));
    EXPECT_EQ(only("-zen.example").score("127.0.0.2"), Score(10));
    EXPECT_EQ(only("+good.example").score("127.0.5.1"), Score(-10));
}

TEST(BlockLists, WeightsOfAnswers) {
    const BlockList list = only("zen.example\tweight=3 127.0.0.2=6 127.0.0.10-11=-1");
    EXPECT_EQ(list.score("127.0.0.2"), Score(6));
    EXPECT_EQ(list.score("127.0.0.10"), Score(-1));
    EXPECT_EQ(list.score("127.0.0.11"), Score(-1));
    EXPECT_EQ(list.score("127.0.0.12"), Score(3));
    EXPECT_EQ(only("zen.example 127.0.0.2=6").score("127.0.0.3"), Score(0));
    EXPECT_EQ(only("zen.example weight=7").score("127.0.0.3"), Score(7));
}

TEST(BlockLists, WhatNoListAnswersIsNoScore) {
    const BlockList list = only("zen.example");
    for (const char* answer : {"192.0.2.1", "127.255.255.254", "::1", "", "127.0.0", "127.0.0.1.1"})
        EXPECT_EQ(list.score(answer), Score()) << answer;
}

TEST(BlockLists, ListsOfDomains) {
    EXPECT_EQ(only("domain:dbl.example weight=4").kind, BlockList::Kind::domains);
    EXPECT_EQ(only("-Domain:dbl.example").kind, BlockList::Kind::domains);
    EXPECT_EQ(only("dbl.example").kind, BlockList::Kind::addresses);
    EXPECT_FALSE(BlockLists({"domain:dbl.example"}).look_into_messages());
}

TEST(BlockLists, ListsOfWhatIsInAMessage) {
    EXPECT_EQ(only("-URI:dbl.example").kind, BlockList::Kind::uris);
    EXPECT_EQ(only("hash:ebl.example weight=4").kind, BlockList::Kind::hashes);
    EXPECT_TRUE(BlockLists({"zen.example", "uri:dbl.example"}).look_into_messages());
    EXPECT_TRUE(BlockLists({"hash:ebl.example"}).look_into_messages());
}

TEST(BlockLists, Thresholds) {
    const BlockLists usual({"zen.example"});
    EXPECT_EQ(usual.tag, 1);
    EXPECT_EQ(usual.defer, 5);
    EXPECT_EQ(usual.refuse, 10);
    const BlockLists said({"refuse=7 defer=3", "zen.example"});
    EXPECT_EQ(said.tag, 1);
    EXPECT_EQ(said.defer, 3);
    EXPECT_EQ(said.refuse, 7);
}

TEST(BlockLists, WhatMakesNoSenseDoesNotCount) {
    for (const char* line : {"two words", "zen..example", "zen.example weight", "zen.example weight=x",
                             "zen.example 127.0.0.11-10=1", "zen.example 127.0.0.300=1", "-", "domain:",
                             "refuse=0", "often=3", "zen.example weight=1001", "zen example=1 x"}) {
        EXPECT_NE(BlockLists::fault(line), "") << line;
        EXPECT_TRUE(BlockLists({line}).empty()) << line;
    }
    EXPECT_EQ(BlockLists::fault("zen.example weight=1"), "");
    EXPECT_EQ(BlockLists(std::vector<std::string>(100, "zen.example")).lists().size(), BlockLists::most);
}

}  // namespace
}  // namespace relais::control
