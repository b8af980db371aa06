#include "forwarding/forward_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace relais::forwarding {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ForwardFile read(std::string_view text) {
    return parse_forward_file(text, "joe", "mx.test", {"default.example", "example", "plus.example"});
}

TEST(ForwardFile, AddressesAreCompleted) {
    EXPECT_THAT(read("bob, fred@h\nJoe Shmoe <shmoe@heaven.af.mil>\n").recipients,
                ElementsAre("bob@default.example", "fred@h.example", "shmoe@heaven.af.mil"));
    EXPECT_THAT(read("bob (Bob, the postmaster) @heaven.af.mil").recipients,
                ElementsAre("bob@heaven.af.mil"));
    EXPECT_THAT(read("\"spaced out\"@h.x\n\\bob\n").recipients,
                ElementsAre("spaced out@h.x", "bob@default.example"));
}

TEST(ForwardFile, TheUserHimself) {
    for (const char* text : {"joe", "JOE", "\\joe\n", "Joe@MX.test\n", "<joe>"}) {
        EXPECT_TRUE(read(text).to_user) << text;
        EXPECT_THAT(read(text).recipients, IsEmpty()) << text;
    }
    EXPECT_FALSE(read("joe@other.test").to_user);
}

TEST(ForwardFile, Commands) {
    EXPECT_THAT(read("bob, \"|vacation bob\"\n|prog\n\"|a|b\"").commands,
                ElementsAre("vacation bob", "prog", "a|b"));
    EXPECT_THAT(read("\"|x\"@h.y").recipients, ElementsAre("|x@h.y"));
}

TEST(ForwardFile, RemarksAndEmptyLines) {
    EXPECT_TRUE(read("# joe\n\n  \n<>\n").empty());
    EXPECT_TRUE(read("").empty());
}

TEST(ForwardFile, WhatItCannotDo) {
    for (const char* text : {"/tmp/mbox", "\"/dev/null\"", ":include:/tmp/x", "g: a@b;", "\"open"}) {
        try {
            read(text);
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_EQ(error.reaction(), Reaction::temporary) << text;
        }
    }
}

}  // namespace
}  // namespace relais::forwarding
