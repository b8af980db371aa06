#include "family/summary.h"

#include <gtest/gtest.h>

namespace relais::family {
namespace {

TEST(Summary, FromAndSubjectInColumns) {
    EXPECT_EQ(summary_line("Received: x\nFrom: Anna <a@b.test>\nSubject: hello\n  there\n\nSubject: no\n"),
              "Anna <a@b.test>               hello there");
    EXPECT_EQ(summary_line("\nbody\n"), std::string(30, ' '));
    EXPECT_EQ(summary_line(""), std::string(30, ' '));
    const std::string line =
        summary_line("from: " + std::string(99, 'f') + "\nsubject: " + std::string(99, 's'));
    EXPECT_EQ(line, std::string(28, 'f') + "  " + std::string(49, 's'));
}

TEST(Summary, NothingCommandsTheTerminal) {
    const std::string line = summary_line("From: a\x1b[2Jb\nSubject: x\x07\x9by\r\n\r\n");
    for (const char c : line) EXPECT_TRUE(c >= ' ' && c <= '~') << line;
}

TEST(Summary, CharactersOfSeveralOctetsAreNotCut) {
    std::string umlauts;
    for (int i = 0; i < 40; ++i) umlauts += "ü";
    const std::string line = summary_line("From: " + umlauts + "\nSubject: s\n");
    EXPECT_EQ(line, umlauts.substr(0, 56) + "  s");
}

}  // namespace
}  // namespace relais::family
