#include "forwarding/aliases.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"
#include "forwarding/expansion.h"

namespace relais::forwarding {
namespace {

// "KEY=COMMAND,COMMAND KEY=..."
std::string alias_table(const std::string& text) {
    std::string shown;
    for (const Record& record : parse_aliases(text, "mx.test")) {
        shown += (shown.empty() ? "" : " ") + record.key + "=";
        std::string data = record.data;
        if (data.ends_with('\0')) data.pop_back();
        for (const char c : data) shown += c == '\0' ? ',' : c;
    }
    return shown;
}

std::string alias_refusal(const std::string& text) {
    try {
        parse_aliases(text, "mx.test");
    } catch (const Error& error) {
        EXPECT_EQ(error.reaction(), Reaction::permanent);
        return error.what();
    }
    return "";
}

TEST(Aliases, NamesAddressesAndLists) {
    EXPECT_EQ(alias_table("postmaster: root\nRoot: Anna, bob@far.test\n"),
              ":postmaster@=&root@ :root@=&anna@,&bob@far.test");
    EXPECT_EQ(alias_table("a: Joe User <joe@x.test>, (nobody, really) b@x.test"),
              ":a@=&joe@x.test,&b@x.test");
    EXPECT_EQ(alias_table("\"first last\": \"joe user\"@x.test"), ":first last@=&joe user@x.test");
    EXPECT_EQ(alias_table("a : b , , c,"), ":a@=&b@,&c@");
    EXPECT_EQ(alias_table("a: \\b"), ":a@=&b");
}

TEST(Aliases, LinesGoOnAndRemarksAreSkipped) {
    EXPECT_EQ(alias_table("# all of us\n\na: b,\n  c,\n# and\n\td\n \nx: y\r\n"), ":a@=&b@,&c@,&d@ :x@=&y@");
    EXPECT_EQ(alias_refusal(" a: b\n"),
              "line 1: it begins with a blank, and there is no line before it to go on with");
}

TEST(Aliases, CommandsFilesAndIncludes) {
    EXPECT_EQ(alias_table("a: \"|/bin/x -f 'a, b' \\\"c\\\"\", d"), ":a@=!/bin/x -f 'a, b' \"c\",&d@");
    EXPECT_EQ(alias_table("a: |/bin/x"), ":a@=!/bin/x");
    EXPECT_EQ(alias_table("a: :include:/lists/a, \":include: /lists/b\""), ":a@=:/lists/a,:/lists/b");
    EXPECT_EQ(alias_table("a: /dev/null"), ":a@=|exit 0");
    EXPECT_NE(alias_refusal("a: /var/mail/x").find("line 1: mail is delivered into files by .qmail"),
              std::string::npos);
    EXPECT_NE(alias_refusal("a: :include:list").find("begins with /"), std::string::npos);
    EXPECT_NE(alias_refusal("a: \"| \"").find("without a command"), std::string::npos);
}

TEST(Aliases, OwnersBecomeSenders) {
    EXPECT_EQ(alias_table("list: a, b\nowner-list: joe\n"),
              ":list@=&a@,&b@ ?list@=owner-list@mx.test :owner-list@=&joe@");
}

TEST(Aliases, WhatCannotBeMeantIsNamedByItsLine) {
    EXPECT_EQ(alias_refusal("\na: b\nc\n"), "line 3: it has no colon: c");
    EXPECT_EQ(alias_refusal("a: b\nx: y\nA: c\n"), "line 3: a stands in line 1 too");
    EXPECT_EQ(alias_refusal("a:\n"), "line 1: nobody stands behind a");
    EXPECT_EQ(alias_refusal(": b\n"), "line 1: there is no name before the colon");
    EXPECT_NE(alias_refusal("a@x: b\n").find("has no @"), std::string::npos);
    EXPECT_NE(alias_refusal("a: <b\n").find("this is no address"), std::string::npos);
    EXPECT_NE(alias_refusal("a: group: b;\n").find("this is no address"), std::string::npos);
    EXPECT_NE(alias_refusal("a: error:nouser gone\n").find("this is no address"), std::string::npos);
    EXPECT_EQ(alias_refusal(std::string("a: b\0c\n", 7)), "line 1: it holds a NUL");
    EXPECT_NE(alias_refusal("a: " + std::string(900, 'x')).find("800 octets"), std::string::npos);
}

TEST(Aliases, WhoLeadsToNobodyIsRefused) {
    EXPECT_EQ(alias_refusal("a: b\nb: c\nc: a\n"), "line 1: a leads to itself, and to nobody else");
    EXPECT_EQ(alias_refusal("a: a\n"), "line 1: a leads to itself, and to nobody else");
    EXPECT_EQ(alias_refusal("a: b, joe\nb: a\n"), "");
    EXPECT_EQ(alias_refusal("a: :include:/x\nb: a\n"), "");
}

TEST(Aliases, AChainIsFollowedWithinTheTable) {
    const auto records = parse_aliases("postmaster: root\nroot: anna, \\root, x@far.test\n", "mx.test");
    const Find find = [&](const std::string& key) -> std::optional<std::string> {
        for (const Record& record : records)
            if (record.key == key) return record.data;
        return std::nullopt;
    };
    const auto result =
        expand("postmaster@any.test", "s@x.test", find, [](const std::string&) { return ""; });
    ASSERT_TRUE(result);
    EXPECT_EQ(result->recipients, (std::vector<std::string>{"anna", "root", "x@far.test"}));
    EXPECT_EQ(result->sender, "s@x.test");
    EXPECT_FALSE(expand("joe@any.test", "", find, [](const std::string&) { return ""; }));
}

TEST(AliasInclude, NamesAddressesAlone) {
    EXPECT_EQ(parse_include("# x\na@b.test, c\n\n Joe <d@e.test>\r\n"),
              std::string("&a@b.test\0&c@\0&d@e.test\0", 24));
    for (const char* bad : {"|/bin/sh", "\"|/bin/sh\"", "/etc/passwd", ":include:/etc/passwd"})
        EXPECT_THROW(parse_include(bad), Error) << bad;
}

}  // namespace
}  // namespace relais::forwarding
