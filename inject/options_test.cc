#include "inject/options.h"

#include <gtest/gtest.h>

namespace relais::inject {
namespace {

// "a b=VALUE ? | rest rest"
std::string read(const Arguments& arguments) {
    OptionReader options(arguments, "abf:d?t");
    std::string text;
    while (const auto option = options.next()) {
        text += *option;
        if (!options.value().empty()) text += "=" + options.value();
        text += ' ';
    }
    text += '|';
    for (const std::string& argument : options.rest()) text += " " + argument;
    return text;
}

}  // namespace

TEST(Options, ReadsLettersAndValues) {
    EXPECT_EQ(read({}), "|");
    EXPECT_EQ(read({"-a", "-b", "x"}), "a b | x");
    EXPECT_EQ(read({"-ab", "x", "-a"}), "a b | x -a");
    EXPECT_EQ(read({"-fme", "x"}), "f=me | x");
    EXPECT_EQ(read({"-af", "me", "x"}), "a f=me | x");
    EXPECT_EQ(read({"-d", "x"}), "d | x");
    EXPECT_EQ(read({"-d21.5", "x"}), "d=21.5 | x");
    EXPECT_EQ(read({"-f", "-a"}), "f=-a |");
    EXPECT_EQ(read({"-f", "", "x"}), "f | x");
}

TEST(Options, EndWhereArgumentsBegin) {
    EXPECT_EQ(read({"-a", "--", "-b"}), "a | -b");
    EXPECT_EQ(read({"-", "-b"}), "| - -b");
    EXPECT_EQ(read({"", "-b"}), "|  -b");
}

TEST(Options, SayWhatIsUnknown) {
    EXPECT_EQ(read({"-x"}), "? |");
    EXPECT_EQ(read({"-f"}), "? |");
    EXPECT_EQ(read({"-:"}), "? |");
    EXPECT_EQ(read({"-?"}), "? |");
    EXPECT_EQ(read({"-xa"}), "? a |");
}

}  // namespace relais::inject
