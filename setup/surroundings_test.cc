#include "setup/surroundings.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace relais::setup {
namespace {
namespace fs = std::filesystem;
using testing::StartsWith;

class SendmailPlace : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/surroundings_test.XXXXXX";
        top_ = ::mkdtemp(name);
        fs::create_directories(top_ / "home/bin");
        fs::create_directories(top_ / "sbin");
        std::ofstream(top_ / "home/bin/sendmail") << "ours";
    }
    void TearDown() override { fs::remove_all(top_); }

    std::string look(bool diverts = false) const {
        const Plan plan{control::Home((top_ / "home").string()), {}, "mail.test", "", {}};
        testing::internal::CaptureStdout();
        Report report(Report::Format::text);
        look_at_sendmail_place(plan, place(), diverts, report);
        return testing::internal::GetCapturedStdout();
    }
    std::string place() const { return top_ / "sbin/sendmail"; }
    std::string remedy(const std::string& said) const { return said.substr(said.find("-> ") + 3); }
    // Types the remedy, after which the place is ours.
    void expect_that_it_helps(const std::string& said) const {
        ASSERT_EQ(std::system(remedy(said).c_str()), 0) << said;
        EXPECT_EQ(look(), "ok     " + place() + " is ours\n");
    }

    fs::path top_;
};

TEST_F(SendmailPlace, Missing) {
    const std::string said = look();
    EXPECT_THAT(said, StartsWith("look   " + place() + " is missing: cron, mail(1) and PHP send no mail\n"));
    expect_that_it_helps(said);
}

TEST_F(SendmailPlace, ALinkToWhatWasRemoved) {
    fs::create_symlink(top_ / "gone", place());
    const std::string said = look();
    EXPECT_THAT(said, StartsWith("look   " + place() + " is missing"));
    expect_that_it_helps(said);
}

TEST_F(SendmailPlace, AnotherProgram) {
    std::ofstream(place()) << "other";
    const std::string said = look();
    EXPECT_THAT(said, StartsWith("look   " + place() +
                                 " is another program: mail of cron, mail(1) and PHP goes to that one\n"));
    EXPECT_EQ(remedy(look(true)), "dpkg-divert --local --rename --add " + place() + " && ln -s " +
                                      (top_ / "home/bin/sendmail").string() + " " + place() + "\n");
    expect_that_it_helps(said);
    EXPECT_TRUE(fs::exists(place() + ".other"));
}

TEST_F(SendmailPlace, AnotherProgramBehindLinks) {
    std::ofstream(top_ / "exim4") << "other";
    fs::create_symlink("../exim4", place());
    const std::string said = look();
    EXPECT_THAT(said,
                StartsWith("look   " + place() + " is another program (" + (top_ / "exim4").string() + "):"));
    expect_that_it_helps(said);
}

TEST_F(SendmailPlace, OursThroughAnotherLink) {
    fs::create_symlink(top_ / "home/bin/sendmail", top_ / "first");
    fs::create_symlink("../first", place());
    EXPECT_EQ(look(), "ok     " + place() + " is ours\n");
}

}  // namespace
}  // namespace relais::setup
