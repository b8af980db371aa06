#include "local/assign.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/error.h"
#include "local/user_database.h"

namespace relais::local {
namespace {

using std::string_literals::operator""s;

TEST(Assign, ExactLinesHaveAKeyWithNul) {
    const AssignRecord record = parse_assign_line("=Joe.Shmoe:joe:503:78:/home/joe:::");
    EXPECT_EQ(record.key, "!joe.shmoe\0"s);
    EXPECT_EQ(record.data, "joe\000503\00078\0/home/joe\0\0"s);
    EXPECT_EQ(record.wildcard_end, '\0');
}

TEST(Assign, WildcardLinesSayWhatTheyEndIn) {
    const AssignRecord record = parse_assign_line("+Joe-:joe:503:78:/home/joe:-:lists-:a remark");
    EXPECT_EQ(record.key, "!joe-");
    EXPECT_EQ(record.data, "joe\000503\00078\0/home/joe\0-\0lists-"s);
    EXPECT_EQ(record.wildcard_end, '-');
    const AssignRecord all = parse_assign_line("+:alias:7790:2108:/var/qmail/alias:-::");
    EXPECT_EQ(all.key, "!");
    EXPECT_EQ(all.wildcard_end, '\0');
}

TEST(Assign, TakesVpopmailLinesWithAndWithoutTheLastColon) {
    const std::string line = "+00h01.com-:00h01.com:508:503:/home/vpopmail/domains/00h01.com:-:";
    EXPECT_EQ(parse_assign_line(line).data,
              "00h01.com\000508\000503\0/home/vpopmail/domains/00h01.com\0-\0"s);
    EXPECT_EQ(parse_assign_line(line + ":").data, parse_assign_line(line).data);
}

std::string wrong(std::string_view line) {
    try {
        parse_assign_line(line);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

TEST(Assign, SaysWhatIsWrongWithALine) {
    EXPECT_EQ(wrong("+00-0010-001001-0-0.com-:00-0010-001001-0-0.com:508:503:/home/vpopmail/domains/"
                    "00-0010-001001-0-0.com"),
              "it has 5 of 7 fields");
    EXPECT_EQ(wrong("+list-:alias:7790:2108:/var/qmail/alias:-:li"),
              "its last field is not ended by a colon");
    EXPECT_EQ(wrong(""), "it is empty");
    EXPECT_EQ(wrong("#joe:joe:1:2:/home:::"), "it begins with neither = nor +");
    EXPECT_EQ(wrong("=joe"), "it has no colon");
    EXPECT_EQ(wrong("=joe:joe:x:2:/home:::"), "the user id is not a number: x");
    EXPECT_EQ(wrong("=joe:joe:1:-2:/home:::"), "the group id is not a number: -2");
    EXPECT_EQ(wrong("=joe:joe:4294967295:2:/home:::"), "the user id is not a number: 4294967295");
    EXPECT_EQ(wrong("=joe:joe:1:2:home:::"), "the home directory does not begin with a slash");
    EXPECT_EQ(wrong("=joe:j\0oe:1:2:/home:::"s), "it has a NUL octet");
}

class CompiledAssign : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/assign_test.XXXXXX";
        directory_ = ::mkdtemp(name);
        std::filesystem::create_directory(directory_ / "users");
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    void compile(const std::string& text) {
        std::ofstream(directory_ / "users/assign", std::ios::binary) << text;
        compile_assign(control::Home(directory_.string()));
    }
    std::string fault(const std::string& text) {
        try {
            compile(text);
        } catch (const Error& error) {
            EXPECT_EQ(error.reaction(), Reaction::temporary);
            return error.what();
        }
        return "";
    }
    std::string found(const std::string& local) {
        const CdbReader database((directory_ / "users/cdb").string());
        const auto user = find_assigned(local, [&](std::string_view key) { return database.find(key); });
        return user ? user->name + " " + user->dash + " " + user->extension : "none";
    }

    std::filesystem::path directory_;
};

TEST_F(CompiledAssign, FindsTheExactAddressThenTheLongestPrefix) {
    compile(
        "=joe:exact:1:2:/home/joe:::\n"
        "+joe-:dash:1:2:/home/joe:-:pre-:\n"
        "+joe-a+:plus:1:2:/home/joe:-::\n"
        "+jo:joker:1:2:/home/joe:-::\n"
        "+:all:1:2:/home/all:-:x:\n"
        ".\n"
        "what follows the dot does not count\n");
    EXPECT_EQ(found("joe"), "exact  ");
    EXPECT_EQ(found("JOE"), "exact  ");
    EXPECT_EQ(found("Joe-Bar-Baz"), "dash - pre-Bar-Baz");
    EXPECT_EQ(found("joe-a+b"), "plus - b");
    EXPECT_EQ(found("joe-a"), "dash - pre-a");
    EXPECT_EQ(found("joe-"), "dash - pre-");
    EXPECT_EQ(found("joan"), "joker - an");
    EXPECT_EQ(found("jane"), "all - xjane");
    EXPECT_EQ(found("jo"), "joker - ");
    EXPECT_EQ(found("joo"), "joker - o");
    EXPECT_EQ(found(""), "all - x");
}

TEST_F(CompiledAssign, AnswersNothingWithoutACatchAll) {
    compile("+joe-:dash:1:2:/home/joe:-::\n.\n");
    EXPECT_EQ(found("joe"), "none");
    EXPECT_EQ(found("jim-joe-x"), "none");
}

TEST_F(CompiledAssign, ABadLineLeavesTheOldDatabase) {
    compile("=joe:old:1:2:/home/joe:::\n.\n");
    EXPECT_EQ(fault("=joe:new:1:2:/home/joe:::\n=jim:jim:1:2\n.\n"),
              "bad format in users/assign: line 2: it has 4 of 7 fields");
    EXPECT_EQ(found("joe"), "old  ");
    EXPECT_FALSE(std::filesystem::exists(directory_ / "users/cdb.tmp"));
}

TEST_F(CompiledAssign, AFileWithoutItsLastLineIsNotWhole) {
    EXPECT_THAT(fault("=joe:new:1:2:/home/joe:::\n"),
                testing::StartsWith("bad format in users/assign: the last line is not a dot"));
    EXPECT_THAT(fault("=joe:new:1:2:/home/joe:::"), testing::StartsWith("bad format in users/assign: "));
    EXPECT_THAT(fault(""), testing::StartsWith("bad format in users/assign: "));
    EXPECT_EQ(fault(".\n"), "");
}

TEST(FindAssigned, ARecordThatNobodyWroteSoIsTemporaryTrouble) {
    for (const std::string& data : {"joe"s, "joe\0x\0002\0/home\0\0"s, "joe\0001\0002\0home\0\0"s, ""s}) {
        const std::map<std::string, std::string, std::less<>> records{{"!joe\0"s, data}};
        const auto find = [&](std::string_view key) -> std::optional<std::string_view> {
            const auto at = records.find(key);
            if (at == records.end()) return std::nullopt;
            return at->second;
        };
        EXPECT_THROW(find_assigned("joe", find), Error);
        EXPECT_EQ(find_assigned("jim", find), std::nullopt);
    }
}

class SystemUsers : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/users_test.XXXXXX";
        home_ = ::mkdtemp(name);
        owner_ = ::geteuid() == 0 ? 1234 : ::geteuid();
        if (::geteuid() == 0) {
            ASSERT_EQ(::chown(home_.c_str(), owner_, 1), 0);
        }
        users_["joe"] = {"joe", owner_, 7, home_};
        users_["joe-doe"] = {"joe-doe", owner_, 7, home_};
        users_["root"] = {"root", 0, 0, "/"};
        users_["thief"] = {"thief", owner_ + 1, 7, home_};
        users_["homeless"] = {"homeless", owner_, 7, home_ + "/none"};
    }
    void TearDown() override { std::filesystem::remove_all(home_); }
    std::string found(std::string_view local) {
        const auto user = find_system_user(local, [&](const std::string& name) -> std::optional<SystemUser> {
            asked_.push_back(name);
            const auto at = users_.find(name);
            if (at == users_.end()) return std::nullopt;
            return at->second;
        });
        return user ? user->name + "|" + user->dash + "|" + user->extension : "none";
    }

    std::string home_;
    uid_t owner_ = 0;
    std::map<std::string, SystemUser> users_;
    std::vector<std::string> asked_;
};

TEST_F(SystemUsers, BreaksTheAddressAtDashes) {
    EXPECT_EQ(found("joe"), "joe||");
    EXPECT_EQ(found("Joe"), "joe||");
    EXPECT_EQ(found("joe-Lists-x"), "joe|-|Lists-x");
    EXPECT_EQ(found("joe-doe-x"), "joe-doe|-|x");
    EXPECT_EQ(found("joe-"), "joe|-|");
    EXPECT_EQ(found("joel"), "none");
    EXPECT_EQ(found("-joe"), "none");
    EXPECT_EQ(found(""), "none");
}

TEST_F(SystemUsers, PassesOverRootAndWhoDoesNotOwnHisHome) {
    EXPECT_EQ(found("root"), "none");
    EXPECT_EQ(found("root-x"), "none");
    EXPECT_EQ(found("thief"), "none");
    EXPECT_EQ(found("homeless"), "none");
}

TEST_F(SystemUsers, NeverAsksForNamesOfMoreThan31Octets) {
    const std::string long_name(32, 'x');
    EXPECT_EQ(found(long_name), "none");
    EXPECT_EQ(found("joe-" + long_name), "joe|-|" + long_name);
    for (const std::string& name : asked_) EXPECT_LE(name.size(), 31U);
}

TEST(User, RoundTrip) {
    const User user{"joe", 1, 2, "/home/joe", "-", "lists"};
    const std::string text = encode_user(user);
    EXPECT_EQ(text, "joe\0001\0002\0/home/joe\0-\0lists\0"s);
    const auto again = decode_user(std::string_view(text).substr(0, text.size() - 1), "-Rest");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->extension, "lists-Rest");
    EXPECT_EQ(again->home, "/home/joe");
    EXPECT_FALSE(decode_user(text, ""));
}

}  // namespace
}  // namespace relais::local
