#include "mail/address.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "mail/null_sender.h"

namespace relais::mail {
namespace {

std::string path(std::string_view argument) {
    const auto parsed = parse_path(argument);
    return parsed ? parsed->address : "(syntax error)";
}

std::string parameters(std::string_view argument) {
    const auto parsed = parse_path(argument);
    return parsed ? std::string(parsed->parameters) : "(syntax error)";
}

constexpr const char* refused = "(syntax error)";

}  // namespace

TEST(NullSender, IsThatOfABounceAndOfABounceOfABounce) {
    for (const char* sender : {"", "#@[]"}) EXPECT_TRUE(is_null_sender(sender));
    for (const char* sender : {" ", "<>", "@", "#@[", "list-@host-@[]", "MAILER-DAEMON"})
        EXPECT_FALSE(is_null_sender(sender));
}

TEST(ParsePath, TakesWhatClientsReallyWrite) {
    EXPECT_EQ(path("<a@example.org>"), "a@example.org");
    EXPECT_EQ(path(" <a@example.org>"), "a@example.org");
    EXPECT_EQ(path("\t <a@example.org>  "), "a@example.org");
    EXPECT_EQ(path("< a@example.org >"), "a@example.org");
    EXPECT_EQ(path("< a >"), "a");
    EXPECT_EQ(path("a@example.org"), "a@example.org");
    EXPECT_EQ(path(" a@example.org"), "a@example.org");
    EXPECT_EQ(path("<postmaster>"), "postmaster");
    EXPECT_EQ(path("<>"), "");
    EXPECT_EQ(path("< >"), "");
    EXPECT_EQ(path("<a..b.@example.org>"), "a..b.@example.org");
    EXPECT_EQ(path("<#@[]>"), "#@[]");
    EXPECT_EQ(path("<a@[192.0.2.1]>"), "a@[192.0.2.1]");
    EXPECT_EQ(path("<a@[IPv6:2001:db8::1]>"), "a@[IPv6:2001:db8::1]");
    EXPECT_EQ(path("<J\xc3\xb6rg@ex\xc3\xa4mple.org>"), "J\xc3\xb6rg@ex\xc3\xa4mple.org");
    EXPECT_EQ(path("<C=us;A=x/y:z@example.org>"), "C=us;A=x/y:z@example.org");
}

TEST(ParsePath, TakesTheSenderOfAListThatNamesEachRecipient) {
    EXPECT_EQ(path("<list-@lists.example-@[]>"), "list-@lists.example-@[]");
    EXPECT_EQ(path("list-owner-@[192.0.2.1]-@[] SIZE=1"), "list-owner-@[192.0.2.1]-@[]");
    EXPECT_EQ(path("<\"list-@lists.example-\"@[]>"), "list-@lists.example-@[]");
    for (const char* text :
         {"<list-@-@[]>", "<a@b@c-@[]>", "<a@b-@[]-@[]>", "<a@b-@[>", "<a@b-@[]c>", "<a@b,c-@[]>"})
        EXPECT_EQ(path(text), refused) << text;
}

TEST(ParsePath, IgnoresASourceRoute) {
    EXPECT_EQ(path("<@a.example,@b.example:u@c.example>"), "u@c.example");
    EXPECT_EQ(path("@a.example:u@c.example"), "u@c.example");
    EXPECT_EQ(path("<@[IPv6:2001:db8::1]:u@c.example>"), "u@c.example");
    EXPECT_EQ(path("<@a.example:>"), refused);
    EXPECT_EQ(path("<@a.example>"), refused);
    EXPECT_EQ(path("<@a>:u@c.example>"), refused);
}

TEST(ParsePath, RemovesQuotes) {
    EXPECT_EQ(path("<\"a b\"@example.org>"), "a b@example.org");
    EXPECT_EQ(path("<\"a\\\"b\\\\\"@example.org>"), "a\"b\\@example.org");
    EXPECT_EQ(path("<\"a@b>c\"@example.org>"), "a@b>c@example.org");
    EXPECT_EQ(path("<a\\@b@example.org>"), "a@b@example.org");
    EXPECT_EQ(path("<a.\"b c\".d@example.org>"), "a.b c.d@example.org");
    EXPECT_EQ(path("<\"\"@example.org>"), "@example.org");
}

TEST(ParsePath, LeavesParametersToTheCaller) {
    EXPECT_EQ(parameters("<a@example.org> SIZE=100 BODY=8BITMIME"), "SIZE=100 BODY=8BITMIME");
    EXPECT_EQ(parameters("<a@example.org>SIZE=100"), "SIZE=100");
    EXPECT_EQ(parameters("a@example.org SIZE=100 "), "SIZE=100");
    EXPECT_EQ(parameters("<>  AUTH=<>"), "AUTH=<>");
    EXPECT_EQ(parameters("<a@example.org>"), "");
}

TEST(ParsePath, RefusesWhatIsBroken) {
    for (const char* text : {"",
                             " ",
                             "<",
                             ">",
                             "<a@b",
                             "a@b>",
                             "<<a@b>",
                             "<<a@b>>",
                             "<a b@c>",
                             "<a@b c>",
                             "<\"a@b>",
                             "<\"a\"b\"@c>",
                             "<a\\",
                             "<a@b@c>",
                             "<a@>",
                             "a@",
                             "<a@\"b\">",
                             "<a@b\\c>",
                             "<a@[>",
                             "<\"a@b\">",
                             "<a\\@b>",
                             "<a@b[1]>",
                             "<a@[1.2.3.4>",
                             "<a@(x)b>",
                             "<\"\">",
                             "\"\"",
                             "<\\>",
                             "<John <a@b>>",
                             "<a@b,c@d>"})
        EXPECT_EQ(path(text), refused) << text;
}

TEST(ParsePath, RefusesControls) {
    using namespace std::string_view_literals;
    EXPECT_EQ(path("<a\0b@example.org>"sv), refused);
    EXPECT_EQ(path("<\"a\0b\"@example.org>"sv), refused);
    EXPECT_EQ(path("<a\\\0b@example.org>"sv), refused);
    EXPECT_EQ(path("<a@example\0.org>"sv), refused);
    EXPECT_EQ(path("<\"a\rb\"@example.org>"sv), refused);
    EXPECT_EQ(path("<\"a\\\nb\"@example.org>"sv), refused);
    EXPECT_EQ(path("<a@example\r.org>"sv), refused);
    EXPECT_EQ(path("<@a\n:a@example.org>"sv), refused);
}

TEST(ParsePath, KnowsTheQueuesLimit) {
    const std::string domain = "@example.org";
    const std::string local(address_limit - domain.size(), 'a');
    EXPECT_EQ(path("<" + local + domain + ">"), local + domain);
    EXPECT_EQ(path("<a" + local + domain + ">"), refused);
    EXPECT_EQ(path("<\"" + std::string(1 << 20, '"')), refused);
}

TEST(SplitAddress, AtTheLastAt) {
    EXPECT_EQ(split_address("a@b@c").local, "a@b");
    EXPECT_EQ(split_address("a@b@c").domain, "c");
    EXPECT_FALSE(split_address("postmaster").has_domain);
    EXPECT_EQ(split_address("postmaster").local, "postmaster");
    EXPECT_TRUE(split_address("a@").has_domain);
    EXPECT_EQ(split_address("#@[]").domain, "[]");
}

TEST(QuotedAddress, QuotesOnlyWhatMustBe) {
    EXPECT_EQ(quoted_address(""), "");
    EXPECT_EQ(quoted_address("a.b+c@example.org"), "a.b+c@example.org");
    EXPECT_EQ(quoted_address("postmaster"), "postmaster");
    EXPECT_EQ(quoted_address("a b@example.org"), "\"a b\"@example.org");
    EXPECT_EQ(quoted_address("a@b@example.org"), "\"a@b\"@example.org");
    EXPECT_EQ(quoted_address("a\"\\@example.org"), "\"a\\\"\\\\\"@example.org");
    EXPECT_EQ(quoted_address("a..b@example.org"), "\"a..b\"@example.org");
    EXPECT_EQ(quoted_address("@example.org"), "\"\"@example.org");
    EXPECT_EQ(quoted_address("a b"), "\"a b\"");
}

TEST(QuotedAddress, ComesBackFromParsing) {
    for (int first = 32; first < 256; ++first)
        for (const char* second : {"", "x", ".", "\"", "\\", "@", " "}) {
            if (first == 127) continue;
            const std::string address = static_cast<char>(first) + std::string(second) + "@example.org";
            EXPECT_EQ(path("<" + quoted_address(address) + ">"), address);
            EXPECT_EQ(path(quoted_address(address)), address);
        }
}

TEST(AddressLiteral, GivesTheAddress) {
    EXPECT_EQ(address_literal("[192.0.2.1]"), "192.0.2.1");
    EXPECT_EQ(address_literal("[IPv6:2001:db8::1]"), "2001:db8::1");
    EXPECT_EQ(address_literal("[ipv6:::1]"), "::1");
    for (const char* text : {"", "[]", "[1.2.3]", "[1.2.3.256]", "[01.2.3.4]", "[2001:db8::1]",
                             "[IPv6:1.2.3.4]", "1.2.3.4", "[IPv6:1::2::3]", "[1.2.3.4", "[x-tag:y]"})
        EXPECT_FALSE(address_literal(text)) << text;
}

TEST(AddrSpec, TakesNewAndObsoleteForms) {
    for (const char* text : {"test@io",
                             "test.test@example.org",
                             "!#$%&`*+/=?^`{|}~@example.org",
                             "\"test\"@example.org",
                             "\"\"@example.org",
                             "\"a\\\"b\"@example.org",
                             "\"test\".\"test\"@example.org",
                             "test@[255.255.255.255]",
                             "test@[RFC-5322-\\]-x]",
                             " test @example.org",
                             "test@ example .com",
                             "test . test@example.org",
                             "\r\n test@example.org",
                             "(a(b)c)test@example.org",
                             "test@(c)example.org",
                             "test.(c)test@example.org",
                             "test@example.org (c)",
                             "\"\\\n\"@example.org",
                             "test@example.org\r\n \r\n ",
                             "J\xc3\xb6rg@example.org"})
        EXPECT_TRUE(is_addr_spec(text)) << text;
}

TEST(AddrSpec, RefusesEverythingElse) {
    for (const char* text : {"",
                             "test",
                             "@",
                             "test@",
                             "@io",
                             ".test@io",
                             "test.@io",
                             "te..st@io",
                             "test\\@test@io",
                             "test@.io",
                             "test@io.",
                             "\"\"\"@io",
                             "\"\\\"@io",
                             "test\"@io",
                             "\"test\"test@io",
                             "\"a\"\"b\"@io",
                             "test@a[1.2.3.4]",
                             "((c)test@io",
                             "test(c)test@io",
                             "test@[1.2.3.4",
                             "test@[a]b]",
                             "test@[a[b]",
                             "test@io(c\\",
                             "test@io\r",
                             "test@io\n",
                             "\"a\rb\"@io",
                             "\x7f@io",
                             "\r\ntest@io",
                             " \r\n\r\n test@io",
                             "test@io \r\n",
                             "a@b@c",
                             "<a@b>"})
        EXPECT_FALSE(is_addr_spec(text)) << text;
}

// The published isemail cases, where they lie beside the project. Everything but an ISEMAIL_ERR is valid to
// RFC 5322; hyphens at a label's end are wrong to DNS alone.
TEST(AddrSpec, AgreesWithThePublishedCases) {
    std::ifstream file("../shared/data/isemail-tests.xml", std::ios::binary);
    if (!file) GTEST_SKIP() << "no ../shared/data/isemail-tests.xml here";
    const std::string xml{std::istreambuf_iterator<char>(file), {}};
    const auto element = [&xml](std::size_t from, const std::string& name) {
        const std::size_t begin = xml.find("<" + name + ">", from) + name.size() + 2;
        return xml.substr(begin, xml.find("</" + name + ">", begin) - begin);
    };
    const auto decoded = [](const std::string& text) {
        const std::pair<std::string, std::string> entities[] = {
            {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}};
        std::string result;
        for (std::size_t i = 0; i < text.size();) {
            if (text.compare(i, 3, "&#x") == 0) {
                const unsigned long code = std::stoul(text.substr(i + 3), nullptr, 16);
                result += static_cast<char>(code >= 0x2400 ? code - 0x2400 : code);
                i = text.find(';', i) + 1;
                continue;
            }
            bool found = false;
            for (const auto& [entity, octet] : entities)
                if (!found && text.compare(i, entity.size(), entity) == 0) {
                    result += octet;
                    i += entity.size();
                    found = true;
                }
            if (!found) result += text[i++];
        }
        return result;
    };
    int cases = 0;
    for (std::size_t at = xml.find("<test id="); at != std::string::npos;
         at = xml.find("<test id=", at + 1)) {
        ++cases;
        const std::size_t tag = xml.find("<address", at);
        const bool empty = xml.compare(tag, 10, "<address/>") == 0;
        const std::string address = empty ? "" : decoded(element(at, "address"));
        const std::string diagnosis = element(at, "diagnosis");
        const bool hyphen = diagnosis.find("DOMAINHYPHEN") != std::string::npos;
        const bool valid = hyphen || element(at, "category") != "ISEMAIL_ERR";
        EXPECT_EQ(is_addr_spec(address), valid) << address << " " << diagnosis;
    }
    EXPECT_EQ(cases, 164);
}

}  // namespace relais::mail
