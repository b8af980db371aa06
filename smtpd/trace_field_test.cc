#include "smtpd/trace_field.h"

#include <gtest/gtest.h>

#include "smtpd/log.h"

namespace relais::smtpd {
namespace {

policy::Client somebody() {
    policy::Client client;
    client.ip = "200.102.28.198";
    client.local_name = "mx4.ovh.net";
    return client;
}

TEST(TraceField, AsInTheDocuments) {
    EXPECT_EQ(
        trace_field(somebody(), "200-102-028-198.fnsce7005.dsl.brasiltelecom.net.br", "SMTP", 1065864148),
        "Received: from unknown (HELO 200-102-028-198.fnsce7005.dsl.brasiltelecom.net.br) (200.102.28.198)\n"
        "  by mx4.ovh.net with SMTP; 11 Oct 2003 09:22:28 -0000\n");
}

TEST(TraceField, HeloOnlyWhenItDiffers) {
    policy::Client client = somebody();
    client.host = "Mail.Example";
    client.info = "joe";
    EXPECT_EQ(trace_field(client, "mail.example", "ESMTP", 0),
              "Received: from Mail.Example (joe@200.102.28.198)\n  by mx4.ovh.net with ESMTP; 1 Jan 1970 "
              "00:00:00 -0000\n");
    EXPECT_EQ(trace_field(client, std::nullopt, "SMTP", 0),
              "Received: from Mail.Example (joe@200.102.28.198)\n  by mx4.ovh.net with SMTP; 1 Jan 1970 "
              "00:00:00 -0000\n");
}

TEST(TraceField, UnsafeOctetsAreMasked) {
    policy::Client client = somebody();
    client.host = "a(b)\nX: y";
    EXPECT_EQ(trace_field(client, "[1.2.3.4]\r\n\xff", "SMTP", 0),
              "Received: from a?b??X:?y (HELO ?1.2.3.4???"
              "?) (200.102.28.198)\n"
              "  by mx4.ovh.net with SMTP; 1 Jan 1970 00:00:00 -0000\n");
}

TEST(TraceField, AddressLiteralsKeepTheirBrackets) {
    const auto helo = [](std::string_view name) {
        const std::string field = trace_field(somebody(), std::string(name), "SMTP", 0);
        const std::size_t begin = field.find("(HELO ");
        return field.substr(begin, field.find(')', begin) + 1 - begin);
    };
    EXPECT_EQ(helo("[192.0.2.1]"), "(HELO [192.0.2.1])");
    EXPECT_EQ(helo("[IPv6:2001:db8::1]"), "(HELO [IPv6:2001:db8::1])");
    for (const char* name : {"[192.0.2.256]", "[2001:db8::1]", "[x]"}) {
        EXPECT_EQ(helo(name)[6], '?') << name;
    }
}

TEST(TraceField, LinesHaveTheirLimit) {
    policy::Client client = somebody();
    client.host = client.info = std::string(2000, 'r');
    client.local_name = std::string(2000, 'l');
    const std::string field = trace_field(client, std::string(2000, 'h'), "SMTP", 0);
    EXPECT_LE(field.find('\n'), 998U);
    EXPECT_LE(field.size() - field.find('\n'), 998U);
}

TEST(TraceField, NamesTheSessionBeforeAFilter) {
    const std::string field = trace_field(somebody(), std::nullopt, "SMTP", 0, "17.4");
    EXPECT_NE(field.find(" with SMTP id 17.4; 1 Jan 1970 "), std::string::npos) << field;
    EXPECT_EQ(accept_event({"::1", ""}, 7, "", {"a@b"}, 3, "17.4").classic(),
              "accept msg 7 from ::1 helo - login - tls - sender <> rcpt <a@b> bytes 3 session 17.4");
}

TEST(LogLine, MasksAndBounds) {
    const std::string line = refuse_event({"192.0.2.1", "a b\nc"}, "rule", std::string(5000, 'x'), "r\xff%>",
                                          std::string(5000, 'y'), "z")
                                 .classic();
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_LT(line.size(), 1200U);
    EXPECT_EQ(line.substr(0, 36), "refuse from 192.0.2.1 helo a_b_c sen");
    EXPECT_NE(line.find("rcpt <r__>>"), std::string::npos);
    EXPECT_EQ(
        refuse_event({"192.0.2.1", std::nullopt}, "rule", std::nullopt, std::nullopt, "no", "why").classic(),
        "refuse from 192.0.2.1 helo - sender - rcpt - reason no: why");
}

TEST(LogLine, NullSenderIsNoMissingSender) {
    EXPECT_EQ(accept_event({"::1", ""}, 7, "", {"a@b"}, 3).classic(),
              "accept msg 7 from ::1 helo - login - tls - sender <> rcpt <a@b> bytes 3");
}

}  // namespace
}  // namespace relais::smtpd
