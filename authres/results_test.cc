#include "authres/results.h"

#include <gtest/gtest.h>

namespace relais::authres {
namespace {

TEST(Results, AreWrittenAndReadBack) {
    const AuthenticationResults results{
        "mx.example.org",
        {{"spf", "fail", "", "1.2.3.4 matches \"-all\"", {{"smtp.mailfrom", "a b@example.org"}}},
         {"dkim", "pass", "2048-bit (rsa)", "", {{"header.d", "example.org"}, {"header.b", "a+/b"}}},
         {"dmarc", "none"}}};
    const std::string field = results_field(results);
    EXPECT_EQ(field,
              "Authentication-Results: mx.example.org;\r\n\tspf=fail reason=\"1.2.3.4 matches \\\"-all\\\"\" "
              "smtp.mailfrom=\"a b@example.org\";\r\n"
              "\tdkim=pass (2048-bit \\(rsa\\)) header.d=example.org header.b=\"a+/b\";\r\n\tdmarc=none\r\n");
    const auto read = parse_results(field.substr(field.find(':') + 1));
    ASSERT_TRUE(read);
    ASSERT_EQ(read->methods.size(), 3U);
    EXPECT_EQ(read->methods[0].reason, "1.2.3.4 matches \"-all\"");
    EXPECT_EQ(read->methods[0].properties[0].second, "a b@example.org");
    EXPECT_EQ(read->methods[1].properties[1], (std::pair<std::string, std::string>{"header.b", "a+/b"}));
    EXPECT_EQ(results_field({"mx", {}}), "Authentication-Results: mx; none\r\n");
}

TEST(Results, NothingFromOutsideLeavesItsPlace) {
    const std::string field = results_field(
        {"mx", {{"spf", "fail", "x)\r\nX: y", "a\"\r\n\r\nb", {{"smtp.mailfrom", "a\"; dkim=pass"}}}}});
    const auto read = parse_results(field.substr(field.find(':') + 1));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->methods.size(), 1U);
    EXPECT_EQ(field.find("\r\n\r\n"), std::string::npos);
    EXPECT_EQ(field.find("\nX"), std::string::npos);
}

TEST(Results, ExamplesOfRfc8601AreRead) {
    for (const char* body : {" example.org 1; none\r\n",
                             " example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n "
                             "spf=fail smtp.mailfrom=example.net",
                             " foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) "
                             "= (wait for it) fail\r\n"
                             " policy (A dot can go here) . (like that) expired\r\n (this surprised me) = "
                             "(as I wasn't expecting it) 1362471462"})
        EXPECT_TRUE(parse_results(body)) << body;
    for (const char* wrong :
         {"", "(", "x 2; none", "x; spf", "x; spf=pass; =", "x; none; none", "x; spf=pass \"y"})
        EXPECT_FALSE(parse_results(wrong)) << wrong;
    EXPECT_EQ(results_server(" (a) MX.Example.org 7 ; whatever ("), "mx.example.org");
}

TEST(Results, OurFieldsAreMerged) {
    const std::vector<HeaderField> fields{
        {"Authentication-Results", "Authentication-Results: us.example; spf=pass\r\n"},
        {"Authentication-Results", "Authentication-Results: other.example; spf=fail\r\n"},
        {"authentication-results", "authentication-results: US.example 1;\r\n dkim=pass (x)\r\n"}};
    EXPECT_EQ(merged_results(fields, "us.example"), "spf=pass; dkim=pass (x)");
    EXPECT_EQ(merged_results(fields, "nobody"), "none");
}

}  // namespace
}  // namespace relais::authres
