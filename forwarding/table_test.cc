#include "forwarding/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace relais::forwarding {
namespace {

std::string octets(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c == '^') c = '\0';
    return result;
}

// "KEY=DATA" for each record, NULs as ^.
std::vector<std::string> shown(std::string_view text) {
    std::vector<std::string> lines;
    for (const Record& record : parse_table(text)) {
        std::string line = record.key + "=" + record.data;
        for (char& c : line)
            if (c == '\0') c = '^';
        lines.push_back(line);
    }
    return lines;
}

std::string complaint(std::string_view text) {
    try {
        parse_table(text);
    } catch (const Error& error) {
        EXPECT_EQ(error.reaction(), Reaction::permanent);
        return error.what();
    }
    return "";
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ForwardTable, InstructionsBecomeRecords) {
    EXPECT_THAT(shown("root@yp.to: god@heaven.af.mil, staff@af.mil;"),
                ElementsAre(":root@yp.to=&god@heaven.af.mil^&staff@af.mil^"));
    EXPECT_THAT(shown("Boss@: &x@y, ?own@z, |prog\\ a, !pr2, /etc/l.bin, ./rel;# end"),
                ElementsAre("?boss@=own@z", ":boss@=&x@y^|prog a^!pr2^/etc/l.bin^./rel^"));
    EXPECT_THAT(shown("@d: q\\,u@x;"), ElementsAre(":@d=&q,u@x^"));
    EXPECT_THAT(shown("A@B C: 9x@y, b@c,d@e\n,f@g;#end"), ElementsAre(":a@bc=&9x@y^&b@c^&d@e^&f@g^"));
    EXPECT_THAT(shown("a#c\nb: x@y; c: d;"), ElementsAre(":ab=&x@y^", ":c=&d^"));
}

TEST(ForwardTable, WhatIsEmptyIsNotWritten) {
    EXPECT_THAT(shown(""), IsEmpty());
    EXPECT_THAT(shown(" # only a remark"), IsEmpty());
    EXPECT_THAT(shown("e@: ;f@:;g@: ,;h@: , a@b,;"), ElementsAre(":h@=&a@b^"));
}

TEST(ForwardTable, WhatIsWrong) {
    EXPECT_EQ(complaint("a: b@c"), "final instruction must end with semicolon");
    EXPECT_EQ(complaint("x:a@b;y"), "final instruction must end with semicolon");
    EXPECT_EQ(complaint("a@: b@c\\"), "final instruction must end with semicolon");
    EXPECT_EQ(complaint("a@ b@c;"), "commas are not permitted before colons");
    EXPECT_EQ(complaint("a, b: c;"), "commas are not permitted before colons");
    EXPECT_EQ(complaint("a@: b@c;;"), "commas are not permitted before colons");
    EXPECT_EQ(complaint("x:a::b;"), "double colons are not permitted");
    EXPECT_EQ(complaint(octets("a@: b^c@d;")), "NUL bytes are not permitted");
    EXPECT_EQ(complaint(octets("a@: b\\^c@d;")), "NUL bytes are not permitted");
    EXPECT_EQ(complaint("a: " + std::string(801, 'x') + ";"), "addresses over 800 bytes are not permitted");
    EXPECT_EQ(complaint("a: " + std::string(800, 'x') + ";"), "");
}

TEST(ForwardTable, PrintedItIsReadAgain) {
    const std::string text = "a\\:b@x\\;y: q\\#z@\\\\w\\\tu, p\\\nq@z, |a\\ \\#b;boss@: ?o@z;";
    std::string printed;
    for (const Record& record : parse_table(text)) printed += print_record(record);
    EXPECT_EQ(printed, "a\\:b@x\\;y:\n, &q\\#z@\\\\w\\\tu\n, &p\\\nq@z\n, |a\\ \\#b\n;\nboss@: ?o@z;\n");
    EXPECT_EQ(shown(printed), shown(text));
}

TEST(ForwardTable, DamagedRecords) {
    EXPECT_THROW(print_record({":a", "&b"}), Error);
    EXPECT_THROW(print_record({":a", octets("^")}), Error);
    EXPECT_THROW(print_record({"", "x"}), Error);
    EXPECT_EQ(print_record({"!a", "&b"}), "");
}

TEST(MailingList, LinesBecomeCommands) {
    EXPECT_EQ(parse_list("a@b\n&c@d \n# x\n\n/etc/foo\n./bar\nlast@x"),
              octets("&a@b^&c@d^/etc/foo^./bar^&last@x^"));
    EXPECT_EQ(print_list(octets("&a@b^&c@d^/etc/foo^./bar^")), "&a@b\n&c@d\n/etc/foo\n./bar\n");
    EXPECT_EQ(print_list(""), "");
}

TEST(MailingList, WhatIsWrong) {
    EXPECT_THROW(parse_list(octets("a^b\n")), Error);
    EXPECT_THROW(parse_list(std::string(801, 'x')), Error);
    EXPECT_THROW(print_list("&x"), Error);
}

}  // namespace
}  // namespace relais::forwarding
