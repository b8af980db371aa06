#include "control/inspect.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/cdb.h"
#include "base/error.h"
#include "base/file.h"

namespace relais::control {
namespace {

class Inspect : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "/control.XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
        std::filesystem::create_directory(directory_ + "/control");
        put("me", "mail.test\n");
        put("rcpthosts", "mail.test\n");
        std::string owners = "instance:system\n";
        for (const char* role : {"alias", "qmaild", "qmailk", "qmaill", "qmailn", "qmailo", "qmailp",
                                 "qmailq", "qmailr", "qmails"})
            owners += std::string(role) + ":1:1\n";
        put("owners", owners);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    void put(const std::string& name, std::string_view content) {
        replace_file(directory_ + "/control/" + name, content, 0644);
    }
    std::string path(const std::string& below) const { return directory_ + "/" + below; }
    Inspection inspection() const { return inspect(Home(directory_)); }

    // All findings for a file, each "warning: ..." or "note: ...", with line ends.
    std::string found(const std::string& file) const {
        std::string text;
        for (const Finding& finding : inspection().findings)
            if (finding.file == file)
                text += (finding.warning ? "warning: " : "note: ") + finding.text + "\n";
        return text;
    }
    ShownFile shown(std::string_view name) const {
        const Inspection all = inspection();
        return *std::find_if(all.files.begin(), all.files.end(),
                             [&](const auto& file) { return file.row->name == name; });
    }

  private:
    std::string directory_;
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

}  // namespace

TEST_F(Inspect, APasswordIsNeverShown) {
    put("smtproutes", ":smart.example:587|user|hidden\na:b|hidden\nno colon|user|hidden\n");
    put("authsenders", "@a.example:smart:587|u|hidden\n");
    std::string all;
    const Inspection inspected = inspection();
    for (const ShownFile& file : inspected.files)
        for (const std::string& line : file.lines) all += line + "\n";
    for (const Finding& finding : inspected.findings) all += finding.text + "\n";
    EXPECT_HAS(all, ":smart.example:587|user|...");
    EXPECT_HAS(all, "@a.example:smart:587|u|...");
    EXPECT_EQ(all.find("hidden"), std::string::npos) << all;
    ::chmod(path("control/smtproutes").c_str(), 0644);
    EXPECT_HAS(found("control/smtproutes"), "warning: it holds passwords and others may read it");
}

TEST_F(Inspect, FindsNothingWrongWithAGoodInstance) {
    EXPECT_TRUE(inspection().findings.empty());
}

TEST_F(Inspect, ShowsValuesAndDefaults) {
    put("locals", "# ours\nmail.test\n\nlocalhost \n");
    put("concurrencyremote", "120\n");
    EXPECT_EQ(shown("locals").lines, (std::vector<std::string>{"mail.test", "localhost"}));
    EXPECT_EQ(shown("concurrencyremote").lines, std::vector<std::string>{"120"});
    EXPECT_TRUE(shown("concurrencyremote").from_file);
    EXPECT_EQ(shown("helohost").lines, std::vector<std::string>{"mail.test"});
    EXPECT_FALSE(shown("helohost").from_file);
    EXPECT_EQ(shown("timeoutremote").lines, std::vector<std::string>{"1200"});
    EXPECT_TRUE(shown("smtproutes").lines.empty());
}

TEST_F(Inspect, SaysWhatIsWrongWithNumbers) {
    put("databytes", "10 apples\n");
    put("concurrencyremote", "many\n");
    put("timeoutsmtpd", "0\n");
    EXPECT_HAS(found("control/databytes"), "\"10 apples\" is no number: 10 is used");
    EXPECT_HAS(found("control/concurrencyremote"), "20 is used");
    EXPECT_HAS(found("control/timeoutsmtpd"), "warning: less than 1 makes no sense: 1 is used");
    put("timeoutsmtpd", "100000\n");
    EXPECT_HAS(found("control/timeoutsmtpd"), "warning: more than 86400 makes no sense: 86400 is used");
    put("concurrencyremote", "0\n");
    EXPECT_HAS(found("control/concurrencyremote"), "warning: 0 stops these deliveries");
}

TEST_F(Inspect, SaysWhatIsNoWordOfAFile) {
    put("sessionreuse", "all\n");
    EXPECT_EQ(found("control/sessionreuse"), "warning: \"all\" is no word of it: same, any, off\n");
    put("sessionreuse", "Any\n");
    EXPECT_EQ(found("control/sessionreuse"), "");
}

TEST_F(Inspect, WarnsThatNothingIsAcceptedWithoutRcpthosts) {
    put("rcpthosts", "\n");
    EXPECT_HAS(found("control/rcpthosts"), "warning: it is empty: no domain is accepted");
    std::filesystem::remove(path("control/rcpthosts"));
    EXPECT_HAS(found("control/rcpthosts"), "warning: it is missing: no domain is accepted");
    EXPECT_EQ(found("control/me"), "");
}

TEST_F(Inspect, NeedsMe) {
    std::filesystem::remove(path("control/me"));
    EXPECT_HAS(found("control/me"), "warning: ");
    put("me", "two words\n");
    EXPECT_HAS(found("control/me"), "is no host name");
}

TEST_F(Inspect, ComparesDomains) {
    put("locals", "mail.test\nother.test\nlocalhost\n");
    put("virtualdomains",
        "mail.test:mail\nfar.test:far\nno colon\nuser@x.test:u\n.sub.test:s\nremote.test:\n");
    EXPECT_EQ(found("control/locals"),
              "warning: other.test is local but not in rcpthosts: the network cannot send mail to it\n");
    const std::string text = found("control/virtualdomains");
    EXPECT_HAS(text, "mail.test is in locals too");
    EXPECT_HAS(text, "far.test is not in rcpthosts");
    EXPECT_HAS(text, "\"no colon\" has no colon");
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
    {
        CdbWriter more(path("control/morercpthosts.cdb"), path("control/tmp"));
        more.add("far.test", "");
        more.add(".test", "");
        more.commit();
    }
    EXPECT_EQ(found("control/locals"), "");
    EXPECT_EQ(found("control/virtualdomains").find("far.test"), std::string::npos);
}

TEST_F(Inspect, SeesOldAndDamagedDatabases) {
    put("morercpthosts", "far.test\n");
    replace_file(path("tcp.smtp"), ":allow\n", 0644);
    EXPECT_HAS(found("control/morercpthosts"), "there is no control/morercpthosts.cdb");
    EXPECT_HAS(found("tcp.smtp"), "there is no tcp.smtp.cdb");
    replace_file(path("tcp.smtp.cdb"), "rubbish", 0644);
    const timespec long_ago[2] = {{1000, 0}, {1000, 0}};
    ::utimensat(AT_FDCWD, path("tcp.smtp.cdb").c_str(), long_ago, 0);
    EXPECT_HAS(found("tcp.smtp"), "newer than tcp.smtp.cdb");
    EXPECT_HAS(found("tcp.smtp.cdb"), "it is not a cdb");
}

TEST_F(Inspect, KnowsStrangersAndMistypedNames) {
    put("rcpthost", "x\n");
    put("spfguess", "x\n");
    put("notes.txt", "x\n");
    EXPECT_HAS(found("control/rcpthost"), "warning: nothing reads it: is rcpthosts meant?");
    EXPECT_HAS(found("control/spfguess"), "note: nothing here reads it");
    EXPECT_HAS(found("control/notes.txt"), "note: nothing reads it");
}

TEST_F(Inspect, SeesFormsThatCannotWork) {
    put("locals", "mail.test\r\n");
    put("badmailfrom", "spammer\nx@y.test\n@z.test\n");
    put("smtproutes", "nowhere\n");
    put("bouncehost", "\n");
    put("percenthack", "a b\n");
    EXPECT_HAS(found("control/locals"), "CR LF");
    EXPECT_EQ(found("control/badmailfrom"), "warning: \"spammer\" has no @: it matches nothing\n");
    EXPECT_HAS(found("control/smtproutes"), "no colon");
    EXPECT_HAS(found("control/bouncehost"), "first line is empty");
    EXPECT_HAS(found("control/percenthack"), "is no domain");
}

TEST_F(Inspect, SeesListsThatCannotWork) {
    put("badmailfrom", "*spam*\n");
    put("badmailfromnorelay", "spammer\n");
    put("badrcptto", "joe\n^joe@\n");
    put("checks", "badhelo log\nbadhello log\nbadhelo perhaps\n");
    EXPECT_EQ(found("control/badmailfrom"), "");
    EXPECT_HAS(found("control/badmailfromnorelay"), "has no @");
    EXPECT_EQ(found("control/badrcptto"),
              "warning: \"^joe@\" looks like a regular expression, which this is not\n");
    EXPECT_EQ(found("control/checks"),
              "warning: \"badhello\" is no check: the line does not count\n"
              "warning: \"badhelo perhaps\" is not NAME, off, log, tag, defer or refuse, and pass or "
              "defer: the line does not count\n");
}

TEST_F(Inspect, SeesBlockListsThatAreNone) {
    put("checks", "");
    put("dnsbllist", "zen.example\nrefuse=3\ntwo words\n");
    EXPECT_EQ(found("control/dnsbllist"),
              "warning: \"two words\" is no list of dnsbllist: it does not count\n");
}

TEST_F(Inspect, SeesListsThatDoNotCountWithoutChecks) {
    put("badhelo", "*.dyn.example\n");
    put("badmailfrom", "@spam.example\n");
    EXPECT_EQ(
        found("control/badhelo"),
        "warning: it does not count: control/checks is missing, as in instances that are older than its "
        "check (qmail-checks(5)); an empty one will do\n");
    EXPECT_EQ(found("control/badmailfrom"), "");
    put("checks", "");
    EXPECT_EQ(found("control/badhelo"), "");
}

TEST_F(Inspect, SeesASummaryThatIsNeverSent) {
    put("summary", "weekly postmaster@mail.test\n");
    EXPECT_EQ(found("control/summary"), "");
    put("summary", "monthly\n");
    EXPECT_HAS(found("control/summary"), "\"monthly\" is not daily or weekly");
}

TEST_F(Inspect, SeesWhatOthersCannotRead) {
    ::chmod(path("control/rcpthosts").c_str(), 0600);
    EXPECT_HAS(found("control/rcpthosts"), "not everybody may read it");
    std::filesystem::create_directory(path("control/badmailfrom"));
    EXPECT_HAS(found("control/badmailfrom"), "warning: unable to read");
}

TEST_F(Inspect, NeedsAControlDirectory) {
    EXPECT_THROW(inspect(Home("/nonexistent")), Error);
}

}  // namespace relais::control
