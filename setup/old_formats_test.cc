#include "setup/old_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::setup {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// With a NUL at each end of a field.
std::string fields(std::initializer_list<const char*> all) {
    std::string text;
    for (const char* each : all) (text += each) += '\0';
    return text;
}

TEST(OldFormats, RecipientsAreReadAsFarAsTheyCanBe) {
    const auto whole = parse_old_recipients(fields({"Ta@x.example", "Db@x.example"}));
    ASSERT_EQ(whole.all.size(), 2U);
    EXPECT_FALSE(whole.all[0].done);
    EXPECT_TRUE(whole.all[1].done);
    EXPECT_EQ(whole.fault, "");
    const auto odd = parse_old_recipients(fields({"Xa@x.example", "T", "Tb@x.example"}) + "Dc@x");
    ASSERT_EQ(odd.all.size(), 1U);
    EXPECT_EQ(odd.all[0].address, "b@x.example");
    EXPECT_EQ(odd.fault, "its last recipient is cut off, and 2 of its recipients cannot be read");
    EXPECT_EQ(parse_old_recipients(fields({("T" + std::string(1003, 'a')).c_str()})).all.size(), 0U);
}

TEST(OldFormats, InfoIsExactlyOneSender) {
    EXPECT_EQ(parse_old_info(fields({"Fa@x.example"})), "a@x.example");
    EXPECT_EQ(parse_old_info(fields({"F"})), "");
    for (const std::string& bad : {std::string(), std::string("Fa@x.example"), fields({"a@x.example"}),
                                   fields({"Fa", "Fb"}), fields({("F" + std::string(1003, 'a')).c_str()})})
        EXPECT_FALSE(parse_old_info(bad)) << bad;
}

TEST(OldFormats, TodoHasSubmitterSenderRecipients) {
    const auto todo = parse_old_todo(fields({"u501", "p42", "Fa@x.example", "Tb@x.example", "Tc@x.example"}));
    ASSERT_TRUE(todo);
    EXPECT_EQ(todo->uid, 501U);
    EXPECT_EQ(todo->pid, 42U);
    EXPECT_EQ(todo->sender, "a@x.example");
    EXPECT_EQ(todo->recipients.all.size(), 2U);
    for (const std::string& bad : {fields({"u501", "p42"}), fields({"p42", "u501", "Fa", "Tb"}),
                                   fields({"u99999999999", "p1", "Fa", "Tb"}), std::string("u5")})
        EXPECT_FALSE(parse_old_todo(bad)) << bad;
}

TEST(OldFormats, TheTraceFieldSaysWhoSubmitted) {
    const auto user =
        parse_old_trace("Received: (qmail 4711 invoked by uid 501); 26 Sep 1995 04:46:54 -0000\n");
    EXPECT_EQ(user.origin, queue::Origin::user);
    EXPECT_EQ(user.uid, 501U);
    EXPECT_EQ(user.pid, 4711U);
    EXPECT_EQ(parse_old_trace("Received: (qmail 1 invoked for bounce); x").origin, queue::Origin::bounce);
    EXPECT_EQ(parse_old_trace("Received: (qmail 1 invoked from network); x").origin, queue::Origin::network);
    EXPECT_EQ(parse_old_trace("Received: from x").origin, queue::Origin::network);
    EXPECT_EQ(parse_old_trace("Received: (qmail 1 invoked by uid 99999999999)").origin,
              queue::Origin::network);
}

TEST(OldFormats, BounceTextsNameTheirRecipients) {
    EXPECT_THAT(bounced_addresses("<a@x.example>:\nno mailbox\n<b@x.example>:\n\n<c@x.example>:\nno\n\n"),
                ElementsAre("a@x.example", "c@x.example"));
    EXPECT_THAT(bounced_addresses("\nHi. This is\n"), IsEmpty());
}

TEST(OldFormats, PrefixesOfVirtualDomainsAreTakenAway) {
    const std::vector<std::string> lines = {"v.example:alias-v", "anna@w.example:bob", ".u.example:u",
                                            "x.example:"};
    const send::RewriteRules rules("me.example", {"me.example"}, {}, lines);
    const auto prefixes = virtual_prefixes(lines);
    EXPECT_THAT(prefixes, ElementsAre("alias-v", "bob", "u"));
    EXPECT_EQ(without_prefix(rules, prefixes, "alias-v-info@v.example"), "info@v.example");
    EXPECT_EQ(without_prefix(rules, prefixes, "bob-anna@w.example"), "anna@w.example");
    EXPECT_EQ(without_prefix(rules, prefixes, "u-x@a.u.example"), "x@a.u.example");
    EXPECT_EQ(without_prefix(rules, prefixes, "u-x@me.example"), "u-x@me.example");
    EXPECT_EQ(without_prefix(rules, prefixes, "info@v.example"), "info@v.example");
    EXPECT_EQ(without_prefix(rules, prefixes, "alias-v-a-v-b@v.example"), "a-v-b@v.example");
}

}  // namespace
}  // namespace relais::setup
