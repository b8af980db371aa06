#include "mail/address_list.h"

#include <gtest/gtest.h>

namespace relais::mail {
namespace {

// The addresses of a list, separated by '|'.
std::string addresses(std::string_view body) {
    auto list = parse_address_list(body);
    if (!list) return "(syntax error)";
    std::string all;
    for (const ListedAddress* address : addresses_of(*list)) all += address->address() + "|";
    return all;
}

std::string rewritten(std::string_view body) {
    const auto list = parse_address_list(body);
    return list ? write_address_field("To", *list) : "(syntax error)";
}

}  // namespace

TEST(AddressList, ReadsEveryForm) {
    EXPECT_EQ(addresses(" a@b.example, c@d.example (Somebody), A Person <e@f>\n"),
              "a@b.example|c@d.example|e@f|");
    EXPECT_EQ(addresses("random group: g@h, i@j;, k@l"), "g@h|i@j|k@l|");
    EXPECT_EQ(addresses("undisclosed-recipients:;"), "");
    EXPECT_EQ(addresses("\"Last, First\" <\"a b\"@c>"), "a b@c|");
    EXPECT_EQ(addresses("D. J. B <djb@silverton>"), "djb@silverton|");
    EXPECT_EQ(addresses("<@a.example,@b.example:u@c.example>"), "u@c.example|");
    EXPECT_EQ(addresses("@a.example:u@c.example"), "u@c.example|");
    EXPECT_EQ(addresses("a @ b . c"), "a@b.c|");
    EXPECT_EQ(addresses("a(x)@(y)b"), "a@b|");
    EXPECT_EQ(addresses("djb@[128.32.183.163]"), "djb@[128.32.183.163]|");
    EXPECT_EQ(addresses("\"a@b\"@c"), "a@b@c|");
    EXPECT_EQ(addresses("djb"), "djb|");
    EXPECT_EQ(addresses("<>"), "|");
    EXPECT_EQ(addresses(""), "");
    EXPECT_EQ(addresses(" \n\t,, ,\n"), "");
    EXPECT_EQ(addresses("a@b,\r\n\tc@d\r\n"), "a@b|c@d|");
    EXPECT_EQ(addresses("=?utf-8?q?J=C3=B6rg?= <j@b>, J\xc3\xb6rg <k@b>"), "j@b|k@b|");
}

TEST(AddressList, TakesApartWhatOnlyBlanksSeparate) {
    EXPECT_EQ(addresses("djb fred"), "djb|fred|");
    EXPECT_EQ(addresses("a@b c@d"), "a@b|c@d|");
    EXPECT_EQ(addresses("<a@b> <c@d> e@f"), "a@b|c@d|e@f|");
    EXPECT_EQ(addresses("a@b; c@d"), "a@b|c@d|");
    EXPECT_EQ(rewritten("djb fred"), "To: djb, fred\n");
    EXPECT_EQ(rewritten("a@b; c@d;"), "To: a@b, c@d\n");
}

TEST(AddressList, DropsWhatHangsAtTheEnd) {
    EXPECT_EQ(addresses("a@b."), "a@b|");
    EXPECT_EQ(addresses("a@"), "a|");
    EXPECT_EQ(addresses("<@a:>"), "|");
    EXPECT_EQ(addresses("@"), "");
}

TEST(AddressList, RefusesWhatCannotBeRead) {
    using namespace std::string_view_literals;
    for (const std::string_view text :
         {"a <b@c"sv, "b@c>"sv, "(a"sv, "a)"sv, "\"a"sv, "[1.2"sv, "1]"sv, "a\\"sv, "g: a@b"sv, "g: h: a;;"sv,
          "<a@b<c>"sv, "a\0b@c"sv, "a@\"b\""sv, "a@b\\@c"sv, "a@[b@c]"sv, "<g:a@b>x:"sv})
        EXPECT_EQ(addresses(text), "(syntax error)") << text;
}

TEST(AddressList, WritesNamesCommentsAndGroupsAgain) {
    EXPECT_EQ(rewritten("  A Person   <e@f> (x(y))"), "To: A Person <e@f> (x(y))\n");
    EXPECT_EQ(rewritten("c@d(Somebody)"), "To: c@d (Somebody)\n");
    EXPECT_EQ(rewritten("(Somebody) c@d"), "To: c@d (Somebody)\n");
    EXPECT_EQ(rewritten("John Q. Public <j@p>"), "To: John Q. Public <j@p>\n");
    EXPECT_EQ(rewritten("\"a \\\"b\\\\\" <j@p>"), "To: \"a \\\"b\\\\\" <j@p>\n");
    EXPECT_EQ(rewritten("\"john\"@p"), "To: john@p\n");
    EXPECT_EQ(rewritten("\"john smith\"@p"), "To: \"john smith\"@p\n");
    EXPECT_EQ(rewritten("g:a@b,c@d;,e@f"), "To: g: a@b, c@d;, e@f\n");
    EXPECT_EQ(rewritten("recipient list not shown: ;"), "To: recipient list not shown: ;\n");
    EXPECT_EQ(rewritten("(nobody)"), "To: (nobody)\n");
    EXPECT_EQ(rewritten("<>"), "To: <>\n");
    EXPECT_EQ(rewritten(""), "To: \n");
    EXPECT_EQ(rewritten("\"a@b\""), "To: \"a@b\"\n");
}

TEST(AddressList, FoldsAtCommas) {
    std::string body = "first@example.org";
    for (int i = 0; i < 10; ++i) body += ",recipient" + std::to_string(i) + "@example.org";
    EXPECT_EQ(rewritten(body),
              "To: first@example.org, recipient0@example.org, recipient1@example.org,\n"
              "  recipient2@example.org, recipient3@example.org, recipient4@example.org,\n"
              "  recipient5@example.org, recipient6@example.org, recipient7@example.org,\n"
              "  recipient8@example.org, recipient9@example.org\n");
}

// A great deal of any of these must take no time worth speaking of.
TEST(AddressList, IsLinear) {
    for (const char* piece : {"a@b,", "a ", "(", "<", "g:", "@", "\\", "\"", "a;", ",", "<>", "a.", "@a:"}) {
        std::string text;
        while (text.size() < (1U << 18)) text += piece;
        parse_address_list(text);
    }
}

}  // namespace relais::mail
