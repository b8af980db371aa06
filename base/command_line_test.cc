#include "base/command_line.h"

#include <gtest/gtest.h>

namespace relais {
namespace {

// What a tool of every kind of option makes of its arguments.
struct Tool {
    bool verbose = false;
    bool quiet = false;
    std::string word = "as it was";
    std::optional<std::string> maybe;
    std::vector<std::string> several;
    std::vector<std::string> states;
    unsigned port = 7;
    std::optional<unsigned> number;
    std::uint64_t limit = UINT64_MAX;
    std::string log;
    bool log_given = false;
    std::vector<std::string> names;
    bool run = false;
    bool show = false;

    std::optional<int> parse(const Arguments& arguments) {
        CommandLine line("For tests.", "tool");
        const auto louder = line.flag("--verbose", verbose, "more");
        line.flag("--quiet", quiet).excludes(louder);
        line.option("--word", word, "one");
        line.option("--maybe", maybe);
        line.option("--several", several).one_value_each();
        line.option("--state", states).separated_by(',');
        line.option("--port", port).in_range(1, 65535);
        line.option("--number", number);
        line.option("--limit", limit).above_zero();
        const auto logged = line.option("--log", log).value_optional();
        line.takes_one(CommandLine::Subcommand::optional);
        Command running = line.subcommand("run", "does it").fallthrough();
        running.option("NAME", names).required();
        const Command showing = line.subcommand("show", "shows it");
        const auto code = line.parse(arguments);
        log_given = logged.given();
        run = running.given();
        show = showing.given();
        return code;
    }
};

TEST(CommandLine, WhatIsNotGivenStaysAsItWas) {
    Tool tool;
    EXPECT_FALSE(tool.parse({}));
    EXPECT_EQ(tool.word, "as it was");
    EXPECT_EQ(tool.port, 7U);
    EXPECT_EQ(tool.limit, UINT64_MAX);
    EXPECT_FALSE(tool.maybe || tool.number || tool.log_given || tool.run || tool.show || tool.verbose);
}

TEST(CommandLine, BindsEachKindOfOption) {
    Tool tool;
    EXPECT_FALSE(tool.parse({"--verbose", "--word", "a b", "--maybe", "", "--several", "x", "--several", "y",
                             "--state", "new,held", "--port", "65535", "--number", "0", "--limit",
                             "18446744073709551614", "--log", "current"}));
    EXPECT_TRUE(tool.verbose);
    EXPECT_EQ(tool.word, "a b");
    EXPECT_EQ(tool.maybe, "");
    EXPECT_EQ(tool.several, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(tool.states, (std::vector<std::string>{"new", "held"}));
    EXPECT_EQ(tool.port, 65535U);
    EXPECT_EQ(tool.number, 0U);
    EXPECT_EQ(tool.limit, UINT64_MAX - 1);
    EXPECT_EQ(tool.log, "current");
}

TEST(CommandLine, AValueMayBeOptional) {
    Tool tool;
    EXPECT_FALSE(tool.parse({"--log"}));
    EXPECT_TRUE(tool.log_given);
    EXPECT_EQ(tool.log, "");
}

TEST(CommandLine, ASubcommandWithFallthroughTakesTheProgramsOptions) {
    Tool tool;
    EXPECT_FALSE(tool.parse({"run", "a", "b", "--verbose"}));
    EXPECT_TRUE(tool.run && tool.verbose);
    EXPECT_FALSE(tool.show);
    EXPECT_EQ(tool.names, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(Tool().parse({"show", "--verbose"}), 100) << "it has no fallthrough";
}

TEST(CommandLine, AMistakeIsNamedAndEndsTheProgramWith100) {
    const std::pair<Arguments, const char*> mistakes[] = {
        {{"--nonsense"}, "--nonsense"},
        {{"--word"}, "--word"},
        {{"--verbose", "--quiet"}, "excludes"},
        {{"--port", "0"}, "--port"},
        {{"--port", "65536"}, "--port"},
        {{"--number", "-1"}, "--number"},
        {{"--limit", "0"}, "--limit"},
        {{"run"}, "NAME is required"},
        {{"stray"}, "stray"},
    };
    for (const auto& [arguments, named] : mistakes) {
        testing::internal::CaptureStderr();
        EXPECT_EQ(Tool().parse(arguments), 100) << arguments.front();
        const std::string said = testing::internal::GetCapturedStderr();
        EXPECT_NE(said.find(named), std::string::npos) << said;
    }
}

TEST(CommandLine, HelpEndsTheProgramWell) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(Tool().parse({"--help"}), 0);
    const std::string help = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(help.starts_with("For tests.\nUsage: tool [OPTIONS] [SUBCOMMAND]\n")) << help;
    for (const char* part : {"--word TEXT", "INT in [1 - 65535]", "does it"})
        EXPECT_NE(help.find(part), std::string::npos) << help;
}

TEST(CommandLine, OneSubcommandMayBeRequired) {
    CommandLine line("For tests.", "tool");
    line.takes_one(CommandLine::Subcommand::required);
    line.subcommand("run", "does it");
    testing::internal::CaptureStderr();
    EXPECT_EQ(line.parse({}), 100);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("A subcommand is required"), std::string::npos);
}

}  // namespace
}  // namespace relais
