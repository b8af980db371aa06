#include "local/pw2u.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace relais::local {
namespace {

const std::string passwd =
    "root:x:0:0:r:/root:/bin/sh\nalias:x:7:8::/old/alias:/bin/true\njoe:x:1000:1001:Joe, "
    "x:/home/joe:/bin/sh\n"
    "Ann:x:1002:1001::/home/Ann:\nbob:x:1003:1001::/home/none:\neve:x:1004:1001::/home/"
    "joe:\n+::::::\nshort:x:1\n"
    "tail:x:1005:1001::/home/tail:";
const std::string alias_lines =
    "+:alias:7:8:/q/alias:-::\n=alias:alias:7:8:/q/alias:::\n+alias-:alias:7:8:/q/alias:-::\n";
const std::string joe_lines = "=joe:joe:1000:1001:/home/joe:::\n+joe-:joe:1000:1001:/home/joe:-::\n";
const std::string tail_lines = "=tail:tail:1005:1001:/home/tail:::\n+tail-:tail:1005:1001:/home/tail:-::\n";

std::optional<uid_t> pw2u_owner(const std::string& directory) {
    static const std::map<std::string, uid_t> owners = {
        {"/q/alias", 7}, {"/home/joe", 1000}, {"/home/Ann", 1002}, {"/home/tail", 1005}};
    const auto found = owners.find(directory);
    return found != owners.end() ? std::optional(found->second) : std::nullopt;
}

std::string pw2u(const Pw2uFiles& files = {}, const Pw2uOptions& options = {}) {
    return assign_of_passwd(passwd, files, options, "/q/alias", pw2u_owner);
}

TEST(Pw2u, UsersWithAHomeOfTheirOwnAndAliasForTheRest) {
    EXPECT_EQ(pw2u(), alias_lines + joe_lines + tail_lines + ".\n");
}

TEST(Pw2u, Options) {
    EXPECT_EQ(pw2u({}, {.upper_case = true}),
              alias_lines + joe_lines +
                  "=Ann:Ann:1002:1001:/home/Ann:::\n+Ann-:Ann:1002:1001:/home/Ann:-::\n" + tail_lines +
                  ".\n");
    EXPECT_EQ(pw2u({}, {.dash = '\0'}),
              "+:alias:7:8:/q/alias:-::\n=alias:alias:7:8:/q/alias:::\n=joe:joe:1000:1001:/home/joe:::\n"
              "=tail:tail:1005:1001:/home/tail:::\n.\n");
    EXPECT_NE(pw2u({}, {.dash = '.', .in_directories = true}).find("+joe.:joe:1000:1001:/home/joe:-/::\n"),
              std::string::npos);
    EXPECT_NE(
        pw2u({}, {.home_check = Pw2uOptions::HomeCheck::none}).find("=bob:bob:1003:1001:/home/none:::\n"),
        std::string::npos);
    EXPECT_THROW(pw2u({}, {.home_check = Pw2uOptions::HomeCheck::stop_at_missing}), Error);
}

TEST(Pw2u, IncludeExcludeMailnames) {
    Pw2uFiles files;
    files.include = {"alias", "joe"};
    EXPECT_EQ(pw2u(files), alias_lines + joe_lines + ".\n");
    files.exclude = {"joe"};
    EXPECT_EQ(pw2u(files), alias_lines + ".\n");
    files = {};
    files.mailnames["joe"] = {"j", "joseph"};
    EXPECT_EQ(pw2u(files), alias_lines +
                               "=j:joe:1000:1001:/home/joe:::\n+j-:joe:1000:1001:/home/joe:-::\n"
                               "=joseph:joe:1000:1001:/home/joe:::\n+joseph-:joe:1000:1001:/home/joe:-::\n" +
                               tail_lines + ".\n");
}

TEST(Pw2u, SubusersAndAppend) {
    Pw2uFiles files;
    files.subusers = {"sub:joe:pre:", "no colons"};
    files.append = "=x:y:1:2:/z:::\n";
    EXPECT_EQ(pw2u(files), alias_lines + joe_lines + tail_lines +
                               "=sub:joe:1000:1001:/home/joe:-:pre:\n+sub-:joe:1000:1001:/home/joe:-:pre-:\n"
                               "=x:y:1:2:/z:::\n.\n");
    files.subusers = {"sub:nobody:pre:"};
    EXPECT_THROW(pw2u(files), Error);
}

TEST(Pw2u, WithoutAliasThereIsNothing) {
    Pw2uFiles files;
    files.exclude = {"alias"};
    EXPECT_THROW(pw2u(files), Error);
}

}  // namespace
}  // namespace relais::local
