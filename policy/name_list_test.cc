#include "policy/name_list.h"

#include <gtest/gtest.h>

namespace relais::policy {
namespace {

using Found = std::optional<std::string>;

TEST(NameList, AddressesAndDomains) {
    const NameList list({"Spammer@Bad.example", "@worse.example"});
    EXPECT_EQ(list.match_address("spammer@bad.EXAMPLE"), Found("spammer@bad.example"));
    EXPECT_EQ(list.match_address("x@WORSE.example"), Found("@worse.example"));
    EXPECT_EQ(list.match_address("other@bad.example"), Found());
    EXPECT_EQ(list.match_address("x@sub.worse.example"), Found());
    EXPECT_EQ(list.match_address(""), Found());
}

TEST(NameList, Wildcards) {
    const NameList list({"@*.worse.example", "bounce-*@*", "no?body@x.example"});
    EXPECT_EQ(list.match_address("x@a.b.Worse.example"), Found("@*.worse.example"));
    EXPECT_EQ(list.match_address("x@worse.example"), Found());
    EXPECT_EQ(list.match_address("Bounce-7@where.ever"), Found("bounce-*@*"));
    EXPECT_EQ(list.match_address("bounce7@where.ever"), Found());
    EXPECT_EQ(list.match_address("no.body@x.example"), Found("no?body@x.example"));
    EXPECT_EQ(list.match_address("nobody@x.example"), Found());
}

TEST(NameList, NamesMatchWholly) {
    const NameList list({"localhost", "*.dyn.example", "*"});
    EXPECT_EQ(list.match("LOCALHOST"), Found("localhost"));
    EXPECT_EQ(list.match("a.dyn.example"), Found("*.dyn.example"));
    EXPECT_EQ(list.match("other"), Found("*"));
    EXPECT_EQ(list.match(""), Found());
    EXPECT_EQ(NameList().match("other"), Found());
}

TEST(NameList, ALongTextAgainstManyStarsCostsLittle) {
    const NameList list({"*a*a*a*a*a*a*a*a*a*a*a*a*b"});
    EXPECT_EQ(list.match(std::string(1000, 'a')), Found());
}

}  // namespace
}  // namespace relais::policy
