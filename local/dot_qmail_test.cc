#include "local/dot_qmail.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace relais::local {
namespace {

using Kind = Instruction::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ParseDotQmail, KnowsEveryKindOfLine) {
    EXPECT_THAT(parse_dot_qmail("# comment\n"
                                "&joe@a.test\n"
                                "jim@b.test\n"
                                "./Mailbox\n"
                                "/home/joe/Maildir/\n"
                                "./.\n"
                                "|vacation joe\n"
                                "+list\n"
                                "+future\n"),
                ElementsAre(Instruction{Kind::forward, "joe@a.test"},
                            Instruction{Kind::forward, "jim@b.test"}, Instruction{Kind::mbox, "./Mailbox"},
                            Instruction{Kind::maildir, "/home/joe/Maildir/"}, Instruction{Kind::mbox, "./."},
                            Instruction{Kind::program, "vacation joe"}, Instruction{Kind::forward_only, ""}));
}

TEST(ParseDotQmail, TrailingBlanksDoNotCount) {
    EXPECT_THAT(parse_dot_qmail("joe \t \n./Maildir/ \n| a b  \n"),
                ElementsAre(Instruction{Kind::forward, "joe"}, Instruction{Kind::maildir, "./Maildir/"},
                            Instruction{Kind::program, " a b"}));
}

TEST(ParseDotQmail, OnlyTheFirstLineMayNotBeBlank) {
    EXPECT_THAT(parse_dot_qmail(""), ElementsAre(Instruction{Kind::blank, ""}));
    EXPECT_THAT(parse_dot_qmail("\n"), ElementsAre(Instruction{Kind::blank, ""}));
    EXPECT_THAT(parse_dot_qmail(" \t\njoe\n"),
                ElementsAre(Instruction{Kind::blank, ""}, Instruction{Kind::forward, "joe"}));
    EXPECT_THAT(parse_dot_qmail("#\n\n \njoe\n\n"), ElementsAre(Instruction{Kind::forward, "joe"}));
    EXPECT_THAT(parse_dot_qmail("#"), IsEmpty());
}

TEST(ParseDotQmail, TheLastLineNeedsNoLineEnd) {
    EXPECT_THAT(parse_dot_qmail("a\nb"),
                ElementsAre(Instruction{Kind::forward, "a"}, Instruction{Kind::forward, "b"}));
}

TEST(ParseDotQmail, NulIsAnError) {
    EXPECT_THROW(parse_dot_qmail(std::string_view("a\0b\n", 4)), Error);
}

TEST(FileNameExtension, StaysInItsDirectory) {
    EXPECT_EQ(file_name_extension("Foo.Bar"), "foo:bar");
    EXPECT_EQ(file_name_extension("../../etc/passwd"), "::::::etc:passwd");
    EXPECT_EQ(file_name_extension("x/y"), "x:y");
}

class FindDotQmail : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/dot_qmail_test.XXXXXX";
        before_ = std::filesystem::current_path();
        directory_ = ::mkdtemp(name);
        std::filesystem::current_path(directory_);
    }
    void TearDown() override {
        std::filesystem::current_path(before_);
        std::filesystem::remove_all(directory_);
    }
    static void put(const std::string& name, mode_t mode = 0600) {
        std::ofstream(name) << name;
        ::chmod(name.c_str(), mode);
    }
    static std::string found(const std::string& dash, const std::string& extension) {
        const auto result = find_dot_qmail(dash, extension);
        if (!result) return "none";
        EXPECT_EQ(result->path, result->text);
        return result->path + (result->default_part ? "|" + *result->default_part : "");
    }

    std::filesystem::path before_;
    std::string directory_;
};

TEST_F(FindDotQmail, GoesUpTheDashes) {
    put(".qmail");
    put(".qmail-foo-bar");
    put(".qmail-foo-default");
    put(".qmail-default");
    EXPECT_EQ(found("", ""), ".qmail");
    EXPECT_EQ(found("-", "foo-bar"), ".qmail-foo-bar");
    EXPECT_EQ(found("-", "Foo-Bar"), ".qmail-foo-bar");
    EXPECT_EQ(found("-", "foo-Bar-Baz"), ".qmail-foo-default|Bar-Baz");
    EXPECT_EQ(found("-", "foo-"), ".qmail-foo-default|");
    EXPECT_EQ(found("-", "foo"), ".qmail-default|foo");
    EXPECT_EQ(found("-", "x.y"), ".qmail-default|x.y");
    EXPECT_EQ(found("-", ""), ".qmail-default|");
    EXPECT_EQ(found("-", "default"), ".qmail-default|default");
    EXPECT_EQ(found("-", "foo-default"), ".qmail-foo-default|default");
}

TEST_F(FindDotQmail, WritesDotsAsColons) {
    put(".qmail-x:y");
    EXPECT_EQ(found("-", "X.Y"), ".qmail-x:y");
    EXPECT_EQ(found("-", "z"), "none");
}

TEST_F(FindDotQmail, NeverLeavesTheDirectory) {
    std::filesystem::create_directory(".qmail-d");
    put(".qmail-d/x");
    put("secret");
    EXPECT_EQ(found("-", "d/x"), "none");
    EXPECT_EQ(found("-", "d/../secret"), "none");
    EXPECT_EQ(found("-", "d"), "none") << "a directory is no .qmail file";
}

TEST_F(FindDotQmail, AnEndlessNameIsNoFile) {
    put(".qmail-default");
    const std::string name(1000, 'x');
    EXPECT_EQ(found("-", name), ".qmail-default|" + name);
}

TEST_F(FindDotQmail, TheXBitOfTheOwnerMeansForwardOnly) {
    put(".qmail", 0700);
    EXPECT_TRUE(find_dot_qmail("", "")->forward_only);
    ::chmod(".qmail", 0611);
    EXPECT_FALSE(find_dot_qmail("", "")->forward_only);
}

TEST_F(FindDotQmail, OthersMayNotWriteIt) {
    put(".qmail", 0602);
    try {
        find_dot_qmail("", "");
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "Uh-oh: .qmail file is writable. (#4.7.0)");
        EXPECT_EQ(error.reaction(), Reaction::temporary);
    }
}

TEST_F(FindDotQmail, WhatCannotBeOpenedDefers) {
    std::filesystem::create_symlink(".qmail", ".qmail");
    try {
        find_dot_qmail("", "");
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(
            error.what(),
            "Unable to open .qmail: symbolic link loop (Too many levels of symbolic links). (#4.3.0)");
    }
}

TEST_F(FindDotQmail, OwnerFiles) {
    put(".qmail-list-owner");
    EXPECT_TRUE(has_dot_qmail("-", "LIST", "-owner"));
    EXPECT_FALSE(has_dot_qmail("-", "list", "-owner-default"));
}

}  // namespace
}  // namespace relais::local
