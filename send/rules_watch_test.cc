#include "send/rules_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace relais::send {
namespace {

using Lines = std::vector<std::string>;

RewriteRules rules_of(const Lines& locals, const Lines& virtual_domains = {}) {
    return {"me.example", locals, {}, virtual_domains};
}

std::string trouble_with(const Lines& locals, const Lines& virtual_domains, const Lines& accepted) {
    const RewriteRules in_use = rules_of({"a.example", "b.example"}, {"v.example:v", ".w.example:w"});
    return trouble_of_rules(in_use, rules_of(locals, virtual_domains), {locals, virtual_domains}, accepted);
}

TEST(RulesWatch, WhatIsMostLikelyAMistake) {
    const Lines both = {"v.example:v", ".w.example:w"}, two = {"a.example", "b.example"};
    EXPECT_EQ(trouble_with({"a.example", "c.example"}, both, {"a.example"}), "");
    EXPECT_EQ(trouble_with({}, both, {}), "control/locals is empty now");
    EXPECT_EQ(trouble_with(two, {}, {}), "control/virtualdomains is empty now");
    EXPECT_EQ(trouble_with({"a.example", "b.exa mple"}, both, {}),
              "this is no domain in control/locals: b.exa mple");
    EXPECT_EQ(trouble_with(two, {"v.example:v", ".w.exam"}, {}),
              "this is no line of control/virtualdomains: .w.exam");
    const std::string lost =
        " is in control/rcpthosts, but no longer in control/locals or control/virtualdomains";
    EXPECT_EQ(trouble_with({"a.example"}, both, {"a.example", "b.example"}), "b.example" + lost);
    EXPECT_EQ(trouble_with(two, {".w.example:w"}, {"V.example"}), "V.example" + lost);
    EXPECT_EQ(trouble_with(two, {"v.example:v"}, {".w.example"}), ".w.example" + lost);
    // Never ours, or moved from one file to the other.
    EXPECT_EQ(trouble_with(two, both, {"elsewhere.example"}), "");
    EXPECT_EQ(trouble_with({"a.example"}, {"b.example:b", "v.example:v", ".w.example:w"}, {"b.example"}), "");
}

class WatchedFiles : public ::testing::Test {
  protected:
    WatchedFiles() {
        std::string name = ::testing::TempDir() + "rules-XXXXXX";
        directory = ::mkdtemp(name.data());
        std::filesystem::create_directory(directory + "/control");
        write("me", "me.example\n");
        write("locals", "a.example\n");
        write("rcpthosts", "a.example\n");
    }
    ~WatchedFiles() override { std::filesystem::remove_all(directory); }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(directory + "/control/" + name + ".new") << text;
        std::filesystem::rename(directory + "/control/" + name + ".new", directory + "/control/" + name);
        // A file that changed a moment ago counts as changed twice (control::ChangeWatch).
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    RulesWatch::News look(RulesWatch& watch, int seconds) {
        return watch.look(in_use, begin + std::chrono::seconds(seconds), Seconds(5));
    }

    std::string directory;
    RewriteRules in_use = rules_of({"a.example"});
    Clock::time_point begin = Clock::now();
};

TEST_F(WatchedFiles, CountWhenBothAreQuiet) {
    RulesWatch watch{control::Home(directory)};
    EXPECT_FALSE(look(watch, 0).rules);
    write("locals", "a.example\nb.example\n");
    EXPECT_FALSE(look(watch, 10).rules);
    EXPECT_FALSE(look(watch, 12).rules);
    write("virtualdomains", "v.example:v\n");
    EXPECT_FALSE(look(watch, 14).rules);
    EXPECT_FALSE(look(watch, 18).rules);
    const auto news = look(watch, 40);
    ASSERT_TRUE(news.rules);
    EXPECT_TRUE(news.rules->is_local("b.example"));
    EXPECT_NE(news.rules->virtual_prefix("x@v.example"), nullptr);
    EXPECT_FALSE(look(watch, 50).rules);
}

TEST_F(WatchedFiles, AMistakeLeavesTheRulesUntilTheFilesChange) {
    RulesWatch watch{control::Home(directory)};
    write("locals", "");
    look(watch, 0);
    EXPECT_EQ(look(watch, 20).alert.find("control/locals and control/virtualdomains were changed"), 0U);
    EXPECT_EQ(watch.trouble(), "control/locals is empty now");
    EXPECT_EQ(look(watch, 40).alert, "");
    write("locals", "a.example\nc.example\n");
    look(watch, 60);
    EXPECT_TRUE(look(watch, 80).rules);
    EXPECT_EQ(watch.trouble(), "");
}

}  // namespace
}  // namespace relais::send
