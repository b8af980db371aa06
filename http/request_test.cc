#include "http/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relais::http {
namespace {

TEST(HttpRequest, WhatIsAsked) {
    const Request request =
        parse_request("GET /queue?x=1&y=a%20b HTTP/1.1\r\nHost: a:1\r\nCOOKIE: a=b; relais=c\r\n\r\n");
    EXPECT_EQ(request.state, Request::State::ready);
    EXPECT_EQ(request.path, "/queue");
    EXPECT_EQ(request.query, "x=1&y=a%20b");
    EXPECT_EQ(request.field("host"), "a:1");
    EXPECT_EQ(cookie(request, "relais"), "c");
    EXPECT_EQ(cookie(request, "elais"), "");
    EXPECT_EQ(parse_request("GET / HTTP/1.0\n\n").state, Request::State::ready);
}

TEST(HttpRequest, WhatIsNone) {
    for (const char* octets :
         {"GET /\r\n\r\n", "GET x HTTP/1.1\r\n\r\n", "get / HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n",
          "\x16\x03\x01", "GET / HTTP/1.1\r\nA b: c\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"})
        EXPECT_EQ(parse_request(octets, 100).state, Request::State::malformed) << octets;
    EXPECT_EQ(parse_request("GET / HTTP/1.1\r\n").state, Request::State::more);
    EXPECT_EQ(parse_request("GET /" + std::string(10000, 'x')).state, Request::State::too_large);
}

TEST(HttpRequest, ABodyHasItsLength) {
    const std::string header = "POST /act HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
    EXPECT_EQ(parse_request(header + "abcd", 5).state, Request::State::more);
    EXPECT_EQ(parse_request(header + "abcdefg", 5).body, "abcde");
    EXPECT_EQ(parse_request(header, 4).state, Request::State::too_large);
    EXPECT_EQ(parse_request(header).state, Request::State::ready);
}

TEST(HttpForm, WhatItSays) {
    const auto form = parse_form("a=1&b=%3Cx%3E+y&a=2&c", 10);
    ASSERT_TRUE(form);
    EXPECT_EQ(form->size(), 4U);
    EXPECT_EQ(value_of(*form, "a"), "1");
    EXPECT_EQ(value_of(*form, "b"), "<x> y");
    EXPECT_EQ(value_of(*form, "c"), "");
    for (const char* wrong : {"a=%", "a=%1", "a=%zz", "%00=a", "a=%00"})
        EXPECT_FALSE(parse_form(wrong, 10)) << wrong;
    EXPECT_FALSE(parse_form("a=1&b=2&c=3", 2));
    EXPECT_EQ(encode_value("a b&\xff"), "a%20b%26%FF");
}

TEST(HttpResponse, IsWhole) {
    EXPECT_EQ(encode({404, "text/plain", "no\n", {{"Vary", "x"}}}, false),
              "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nVary: x\r\n"
              "Cache-Control: no-store\r\nConnection: close\r\n\r\nno\n");
    EXPECT_TRUE(encode({200, "text/plain", "no\n"}, true)
                    .ends_with("Content-Length: 3\r\nCache-Control: "
                               "no-store\r\nConnection: close\r\n\r\n"));
}

}  // namespace
}  // namespace relais::http
