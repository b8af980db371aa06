#include "base/json.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace relais {

TEST(Json, WritesEachKindOfValue) {
    const std::optional<int> none;
    const Json all{{"null", Json()},
                   {"none", none},
                   {"some", std::optional<std::string>("x")},
                   {"yes", true},
                   {"no", false},
                   {"least", INT64_MIN},
                   {"most", UINT64_MAX},
                   {"words", std::vector<std::string>{"a", "b"}},
                   {"inner", {{"a", 1}, {"b", "c"}}},
                   {"empty", text_or_null("")}};
    EXPECT_EQ(all.line(),
              R"({"null":null,"none":null,"some":"x","yes":true,"no":false,"least":-9223372036854775808,)"
              R"("most":18446744073709551615,"words":["a","b"],"inner":{"a":1,"b":"c"},"empty":null})");
}

TEST(Json, LinesAreIndentedByDepthAndWhatIsEmptyHasNone) {
    Json list = Json::array();
    list.push_back({{"a", 1}, {"b", Json::array()}});
    list.push_back(Json::object());
    list.push_back("x");
    EXPECT_EQ(list.lines(), "[\n  {\n    \"a\": 1,\n    \"b\": []\n  },\n  {},\n  \"x\"\n]");
    EXPECT_EQ(Json::array().lines(), "[]");
    EXPECT_EQ(Json().lines(), "null");
}

TEST(Json, ANameIsWrittenOnceAndKeepsItsPlace) {
    Json object;
    object["z"] = 1;
    object["a\n"]["inner"].push_back(2);
    object["z"] = 3;
    EXPECT_EQ(object.line(), R"({"z":3,"a\n":{"inner":[2]}})");
}

TEST(Json, EscapesWhatAStringMayNotHold) {
    EXPECT_EQ(Json(std::string_view("\"\\/\b\t\n\f\r\0\x1f\x7f", 11)).line(),
              "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\\u007f\"");
    EXPECT_EQ(Json("jos\xc3\xa9 \xe4\xbe\x8b \xf0\x9f\x93\xa7").line(),
              "\"jos\xc3\xa9 \xe4\xbe\x8b \xf0\x9f\x93\xa7\"");
}

TEST(Json, NoStringCommandsATerminal) {
    EXPECT_EQ(Json("a\x7f\x7f\xc2\x9b"
                   "2J\xc2\x80\xc2\x9f\xc2\xa0"
                   "b")
                  .line(),
              "\"a\\u007f\\u007f\\u009b2J\\u0080\\u009f\xc2\xa0"
              "b\"");
    EXPECT_EQ(Json("\xc3\x9b").line(), "\"\xc3\x9b\"");
    EXPECT_EQ((Json{{"\x7f", 1}}).line(), "{\"\\u007f\":1}");
}

// One U+FFFD for each longest beginning of a character.
TEST(Json, WhatIsNoUtf8IsReplaced) {
    const auto count = [](std::string_view text) {
        const std::string written = Json(text).line();
        std::size_t found = 0;
        for (std::size_t at = 0; (at = written.find("\xef\xbf\xbd", at)) != std::string::npos; at += 3)
            ++found;
        EXPECT_EQ(written.size(), 3 + 3 * found) << "only the letter at the end is kept: " << written;
        return found;
    };
    EXPECT_EQ(count("\xff"
                    "a"),
              1U);
    EXPECT_EQ(count("\xc3"
                    "a"),
              1U);
    EXPECT_EQ(count("\xc0\xafz"), 2U) << "too long a form";
    EXPECT_EQ(count("\xe0\x80\x80z"), 3U) << "too long a form";
    EXPECT_EQ(count("\xed\xa0\x80z"), 3U) << "half of a pair";
    EXPECT_EQ(count("\xf4\x90\x80\x80z"), 4U) << "above U+10FFFF";
    EXPECT_EQ(count("\xf0\x9f\x93z"), 1U) << "cut off";
    EXPECT_EQ(count("\xe4\xbe\xe4\xbez"), 2U);
    EXPECT_EQ(count("z\xf0\x9f"), 1U) << "cut off by the end";
}

}  // namespace relais
