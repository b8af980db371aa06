#include "mail/bounce_hints.h"

#include <gtest/gtest.h>

namespace relais::mail {
namespace {

std::vector<HintTable::Mistake> mistakes;

HintTable table_of(std::string_view text) {
    mistakes.clear();
    HintTable table;
    table.add(text, mistakes);
    return table;
}

std::string name_for(const HintTable& table, std::string_view reply) {
    const BounceHint* hint = table.match(reply);
    return hint == nullptr ? "" : hint->name;
}

TEST(BounceHints, reads_a_table) {
    const auto table = table_of(
        "# comment\n[one]\ncause A  sentence\n\tgoes on.\nremedy Do it.\nmatch no relay\n\n"
        "[two]\r\nmatch  over * quota \r\ncause Full.\r\n");
    EXPECT_TRUE(mistakes.empty());
    ASSERT_EQ(table.size(), 2U);
    const BounceHint* hint = table.match("550 No Relay");
    ASSERT_NE(hint, nullptr);
    EXPECT_EQ(*hint, (BounceHint{"one", "A sentence goes on.", "Do it."}));
    EXPECT_EQ(name_for(table, "is over his quota"), "two");
    EXPECT_EQ(name_for(table, "quota over"), "");
}

TEST(BounceHints, tells_what_is_wrong) {
    const auto table = table_of(
        "cause x\n[]\n[a]\nmatch **\nmatch\nfoo bar\ncause A\ncause B\nmatch x\n  y\n[b]\ncause "
        "B\n[c]\nmatch z\n");
    std::vector<std::size_t> lines;
    for (const auto& mistake : mistakes) lines.push_back(mistake.line);
    EXPECT_EQ(lines, (std::vector<std::size_t>{1, 2, 4, 5, 6, 8, 10, 11, 13}));
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(name_for(table, "x"), "a");
}

TEST(BounceHints, the_first_hint_counts) {
    const auto table =
        table_of("[special]\ncause A\nmatch user unknown in list\n[general]\ncause B\nmatch user unknown\n");
    EXPECT_EQ(name_for(table, "User unknown in list"), "special");
    EXPECT_EQ(name_for(table, "User unknown here"), "general");
}

TEST(BounceHints, numbers_are_whole) {
    const auto table = table_of("[a]\ncause A\nmatch 5.7.1\n[b]\ncause B\nmatch 550\n");
    EXPECT_EQ(name_for(table, "(#5.7.1)"), "a");
    EXPECT_EQ(name_for(table, "554-5.7.1. Sorry"), "a");
    for (const char* other : {"5.7.13", "1.5.7.1", "5.7.1.2", "15.7.1", "5501", "A550", "550x"})
        EXPECT_EQ(name_for(table, other), "") << other;
    EXPECT_EQ(name_for(table, "5.7.13 then 5.7.1"), "a");
    EXPECT_EQ(name_for(table, "said: 550-no"), "b");
}

TEST(BounceHints, words_of_a_log_and_other_alphabets) {
    EXPECT_EQ(plain_reply("Sorry,_I_wasn\u2019t \r\n able_"), "sorry, i wasn't able");
    EXPECT_EQ(plain_reply("Ретрансляция ЗАПРЕЩЕНА, Ёж"), "ретрансляция запрещена, ёж");
    EXPECT_EQ(plain_reply("REFUSÉE À"), "refusée à");
    EXPECT_EQ(plain_reply("\xc3"), "\xc3");
    const auto table = table_of("[a]\ncause A\nmatch ретрансляция запрещена\n");
    EXPECT_EQ(name_for(table, "550 <a@b>. Ретрансляция Запрещена"), "a");
}

TEST(BounceHints, limits) {
    std::string large(hint_table_limit + 100, '#');
    large.replace(0, 25, "[a]\ncause A\nmatch one two\n");
    EXPECT_EQ(table_of(large).size(), 1U);
    EXPECT_FALSE(mistakes.empty());
    const auto table = table_of("[a]\ncause A\nmatch end\n");
    EXPECT_EQ(name_for(table, std::string(reply_limit, 'x') + " end"), "");
}

TEST(BounceHints, the_built_in_table_is_right) {
    const auto table = table_of(HintTable::built_in());
    for (const auto& mistake : mistakes) ADD_FAILURE() << mistake.line << ": " << mistake.text;
    EXPECT_GT(table.size(), 40U);
    EXPECT_EQ(name_for(table, "550 relay not permitted"), "relay-denied");
    EXPECT_EQ(name_for(table, "Unable to chdir to maildir. (#4.2.1)"), "no-maildir");
}

}  // namespace
}  // namespace relais::mail
