#include "forwarding/expansion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "forwarding/table.h"

namespace relais::forwarding {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct Table {
    std::map<std::string, std::string> records;
    std::map<std::string, std::string> lists;

    explicit Table(std::string_view text) {
        for (const Record& record : parse_table(text)) records.emplace(record.key, record.data);
    }
    std::optional<Expansion> operator()(const std::string& address, const std::string& sender = "s@t") const {
        return expand(
            address, sender,
            [this](const std::string& key) {
                const auto found = records.find(key);
                return found != records.end() ? std::optional(found->second) : std::nullopt;
            },
            [this](const std::string& path) { return parse_list(lists.at(path)); });
    }
};

TEST(Expansion, TargetsFromTheNarrowestOne) {
    const Table table("joe@h: a@a; @h: b@b; joe@: c@c; nodomain: d@d;");
    EXPECT_THAT(table("JOE@H")->recipients, ElementsAre("a@a"));
    EXPECT_THAT(table("x@h")->recipients, ElementsAre("b@b"));
    EXPECT_THAT(table("joe@i")->recipients, ElementsAre("c@c"));
    EXPECT_THAT(table("nodomain")->recipients, ElementsAre("d@d"));
    EXPECT_FALSE(table("x@i"));
    EXPECT_EQ(table("joe@h")->sender, "s@t");
}

TEST(Expansion, TargetsWithinTargetsAndLoops) {
    const Table table("me@y: a@b, rec@x; rec@x: list@x, me@y, u@; u@: a@b, |p; wild@: x@x;");
    const auto expansion = table("me@y");
    EXPECT_THAT(expansion->recipients, ElementsAre("a@b", "list@x"));
    EXPECT_THAT(expansion->programs, ElementsAre("|p"));
    // Wildcards are for the address that came.
    EXPECT_THAT(Table("a@b: wild@z; wild@: x@x;")("a@b")->recipients, ElementsAre("wild@z"));
}

TEST(Expansion, LettersMakeNoLoop) {
    const Table table("a@b: A@B, B@c; b@c: a@B, B@C, x@x;");
    EXPECT_THAT(table("a@b")->recipients, ElementsAre("x@x"));
}

TEST(Expansion, OwnersGetTheBounces) {
    const Table table("sub@x: ?own@x, a@b, top@x; top@x: sub@x, c@d; n@x: ?only@x;");
    EXPECT_EQ(table("sub@x")->sender, "own@x");
    EXPECT_EQ(table("sub@x", "")->sender, "");
    EXPECT_EQ(table("sub@x", "#@[]")->sender, "#@[]");
    // Another sender's mail: it comes back with its own address.
    EXPECT_THAT(table("top@x")->recipients, ElementsAre("sub@x", "c@d"));
    EXPECT_EQ(table("top@x")->sender, "s@t");
    EXPECT_FALSE(table("n@x"));
}

TEST(Expansion, ListsAndWhatTheyMayNotSay) {
    Table table("l@x: /l, a@b, /l; p@x: /p;");
    table.lists["/l"] = "in@l\na@b\n/m\n";
    table.lists["/m"] = "in@m\n/l\n";
    EXPECT_THAT(table("l@x")->recipients, UnorderedElementsAre("in@l", "a@b", "in@m"));
    const auto with_program = [](const std::string&) { return std::string("|evil\0", 6); };
    EXPECT_THROW(expand(
                     "p@x", "s", [](const std::string&) { return std::string("/p\0", 3); }, with_program),
                 Error);
}

TEST(Expansion, ProgramsRunAsOftenAsTheyAreNamed) {
    const Table table("t@x: |p, !q, |p, sub@x; sub@x: |p;");
    EXPECT_THAT(table("t@x")->programs, ElementsAre("|p", "!q", "|p", "|p"));
    EXPECT_THAT(table("t@x")->recipients, IsEmpty());
}

TEST(Expansion, DamagedTables) {
    const auto find = [](const std::string& data) {
        return [data](const std::string& key) { return key == ":a@b" ? std::optional(data) : std::nullopt; };
    };
    const auto no_list = [](const std::string&) { return std::string(); };
    for (const std::string& data : {std::string("&x"), std::string("\0", 1), std::string("=x\0", 3)})
        EXPECT_THROW(expand("a@b", "s", find(data), no_list), Error);
}

}  // namespace
}  // namespace relais::forwarding
