#include "smtpd/foreign_protocol.h"

#include <gtest/gtest.h>

namespace relais::smtpd {
namespace {

TEST(ForeignProtocol, RequestsOfHttp) {
    for (const char* line : {"GET / HTTP/1.0", "POST / HTTP/1.1", "CONNECT mx.test:25 HTTP/1.1", "GET /",
                             "PRI * HTTP/2.0", "PROPFIND /x HTTP/1.1"})
        EXPECT_TRUE(is_http_request(line)) << line;
    for (const char* line : {"", "GET", "HELO x", "MAIL FROM:<a@b> SIZE=1", "VRFY HTTP/1.1", "EHLO HTTP/1.1",
                             "get lost", "NOOP"})
        EXPECT_FALSE(is_http_request(line)) << line;
}

TEST(ForeignProtocol, HeadersOfProxies) {
    for (const std::string_view line :
         {std::string_view("PROXY TCP4 192.0.2.1 192.0.2.2 1 2"), std::string_view("PROXY TCP6 ::1 ::1 1 2"),
          std::string_view("PROXY UNKNOWN"), std::string_view("\0", 1)})
        EXPECT_TRUE(is_proxy_header(line)) << line;
    for (const std::string_view line : {"", "PROXY", "QUIT", "HELO PROXY TCP4 ", "proxy tcp4"})
        EXPECT_FALSE(is_proxy_header(line)) << line;
}

TEST(ForeignProtocol, HeaderFields) {
    for (const char* line : {"Host: mx.test", "X-a:b", "Content-Length:1"})
        EXPECT_TRUE(is_header_field(line)) << line;
    for (const char* line : {"", ":", "MAIL FROM:<a@b>", "RCPT TO:<a@b>", "EHLO [IPv6:::1]", "a b: c"})
        EXPECT_FALSE(is_header_field(line)) << line;
}

}  // namespace
}  // namespace relais::smtpd
