#include "local/delivery_refusal.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "local/assign.h"

namespace relais::local {
namespace {

class DeliveryRefusal : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/delivery_refusal_test.XXXXXX";
        directory_ = ::mkdtemp(name);
        std::filesystem::create_directories(directory_ / "users");
        std::filesystem::create_directories(directory_ / "control");
        write(
            "control/owners",
            "instance:system\nalias:100:111\nqmaild:101:111\nqmailk:102:111\nqmaill:103:111\nqmailn:104:111\n"
            "qmailo:105:111\nqmailp:106:111\nqmailq:107:110\nqmailr:108:111\nqmails:109:110\n");
        write("users/assign", "=joe:joe:89:89:/home/joe:::\n+list-:joe:89:89:/home/joe:-::\n.\n");
        compile_assign(control::Home(directory_.string()));
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    void write(const std::string& name, const std::string& text) {
        std::ofstream(directory_ / name, std::ios::binary) << text;
    }
    std::string refusal(std::string_view local, const FoundIds& found) {
        return DeliveryRefusals(control::Home(directory_.string())).of(local, found).value_or("none");
    }

    std::filesystem::path directory_;
};

TEST_F(DeliveryRefusal, RootAndTheMailSystemGetNothing) {
    EXPECT_THAT(refusal("jim", {0, 1000, false}),
                testing::HasSubstr("as root: name another one in users/assign"));
    EXPECT_THAT(refusal("jim", {1000, 0, false}), testing::HasSubstr("with root's group, gid 0"));
    EXPECT_THAT(refusal("jim", {107, 1000, false}),
                testing::HasSubstr("a user of the mail system (qmailq of control/owners)"));
    EXPECT_THAT(refusal("jim", {1000, 110, false}),
                testing::HasSubstr("a group of the mail system (gid 110 of control/owners)"));
    EXPECT_THAT(refusal("jim", {static_cast<uid_t>(-1), 1000, false}), testing::HasSubstr("as root"));
    EXPECT_THAT(refusal("jim", {1000, static_cast<gid_t>(-1), false}), testing::HasSubstr("gid 0"));
    EXPECT_EQ(refusal("jim", {100, 111, false}), "none");
    EXPECT_EQ(refusal("jim", {1000, 1000, false}), "none");
}

TEST_F(DeliveryRefusal, BelowMinimumUidOnlyWhoIsAssignedAndAlias) {
    EXPECT_EQ(refusal("jim", {89, 89, false}), "none") << "without the file it is 1";
    write("control/minimumuid", "1000\n");
    EXPECT_THAT(
        refusal("jim", {999, 999, false}),
        testing::HasSubstr(
            "as uid 999, which is below the 1000 of control/minimumuid: name the user in users/assign"));
    EXPECT_EQ(refusal("jim", {1000, 1000, false}), "none");
    EXPECT_EQ(refusal("joe", {89, 89, true}), "none");
    EXPECT_EQ(refusal("jim", {100, 111, false}), "none") << "alias";
}

TEST_F(DeliveryRefusal, TheLookUpIsNotBelievedWhatUsersCdbDoesNotSay) {
    const std::string lie = "users/cdb does not say of this address what the user look-up said";
    EXPECT_THAT(refusal("jim", {89, 89, true}), testing::StartsWith(lie)) << "nobody names him";
    EXPECT_THAT(refusal("joe", {1001, 89, true}), testing::StartsWith(lie));
    EXPECT_THAT(refusal("joe", {89, 42, true}), testing::StartsWith(lie));
    EXPECT_THAT(refusal("joe", {1001, 1001, false}), testing::StartsWith(lie)) << "somebody names him";
    EXPECT_EQ(refusal("Joe", {89, 89, true}), "none");
    EXPECT_EQ(refusal("list-x", {89, 89, true}), "none");
    std::filesystem::remove(directory_ / "users/cdb");
    EXPECT_THAT(refusal("joe", {89, 89, true}), testing::StartsWith(lie));
    EXPECT_EQ(refusal("joe", {1001, 1001, false}), "none");
}

TEST_F(DeliveryRefusal, AnInstanceOfOneUserDeliversAsHim) {
    write("control/owners",
          "instance:user\nalias:7:7\nqmaild:7:7\nqmailk:7:7\nqmaill:7:7\nqmailn:7:7\nqmailo:7:7\nqmailp:7:"
          "7\nqmailq:7:7\n"
          "qmailr:7:7\nqmails:7:7\n");
    EXPECT_EQ(refusal("joe", {7, 0, false}), "none");
}

}  // namespace
}  // namespace relais::local
