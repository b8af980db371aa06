#include "mail/transfer.h"

#include <gtest/gtest.h>

#include "mail/envelope.h"
#include "mail/smtp_command.h"

namespace relais::mail {
namespace {

using Fault = MailParameters::Fault;

TEST(TransferParameters, AreTakenFromMail) {
    const MailParameters all =
        parse_mail_parameters("HOLDUNTIL=2026-12-01T07:30:00+01:00 by=+120;rt MT-PRIORITY=-3");
    ASSERT_EQ(all.fault, Fault::none);
    EXPECT_EQ(all.transfer.hold_until, 1796106600);
    EXPECT_EQ(all.transfer.by, (DeliverBy{120, true, true}));
    EXPECT_EQ(all.transfer.priority, -3);
    EXPECT_EQ(parse_mail_parameters("HOLDFOR=3600").transfer.hold_for, 3600);
    EXPECT_EQ(parse_mail_parameters("BY=-5;N").transfer.by, (DeliverBy{-5, false, false}));
    EXPECT_FALSE(parse_mail_parameters("SIZE=1").transfer.holds());
}

TEST(TransferParameters, SayWhatIsWrong) {
    for (const char* text : {"HOLDFOR",
                             "HOLDFOR=",
                             "HOLDFOR=0",
                             "HOLDFOR=-1",
                             "HOLDFOR=1234567890",
                             "HOLDFOR=1 HOLDFOR=1",
                             "HOLDFOR=1 HOLDUNTIL=2026-12-01T07:30:00Z",
                             "HOLDUNTIL=2026-12-01",
                             "BY",
                             "BY=1",
                             "BY=;R",
                             "BY=0;R",
                             "BY=-1;R",
                             "BY=1;X",
                             "BY=1;RX",
                             "BY=1;RTT",
                             "BY=1234567890;N",
                             "BY=1;R BY=1;R",
                             "MT-PRIORITY",
                             "MT-PRIORITY=10",
                             "MT-PRIORITY=+1",
                             "MT-PRIORITY=-0",
                             "MT-PRIORITY=1 MT-PRIORITY=1"})
        EXPECT_EQ(parse_mail_parameters(text).fault, Fault::syntax) << text;
}

TEST(Date3339, IsReadAndWritten) {
    EXPECT_EQ(parse_date_3339("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_date_3339("2024-02-29t23:59:60.123z"), 1709251200);
    EXPECT_EQ(parse_date_3339("2026-12-01T00:00:00-05:30"), 1796103000);
    EXPECT_EQ(parse_date_3339("9999-12-31T23:59:59Z"), last_second);
    EXPECT_EQ(date_3339(1796103000), "2026-12-01T05:30:00Z");
    for (const char* text :
         {"", "2026", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-12-01T24:00:00Z",
          "2026-12-01T00:60:00Z", "2026-12-01T00:00:61Z", "2026-12-01T00:00:00", "2026-12-01T00:00:00.Z",
          "2026-12-01T00:00:00+1:00", "2026-12-01T00:00:00+01:00x", "2026-12-01T00:00:00Zx",
          "-026-12-01T00:00:00Z", "2026-12-01 00:00:00Z"})
        EXPECT_FALSE(parse_date_3339(text)) << text;
}

TEST(DeliverBy, ComesBack) {
    const DeliverBy by{1796103000, true, true};
    EXPECT_EQ(deliver_by_text(by), "1796103000 RT");
    EXPECT_EQ(parse_deliver_by("1796103000 RT"), by);
    EXPECT_EQ(by_value(by, 1796102990), "10;RT");
    EXPECT_EQ(by_value({1796103000, false, false}, 1796103007), "-7;N");
    EXPECT_EQ(by_value({last_second, false, false}, 0), "999999999;N");
    for (const char* text : {"", "1", "1 ", "1 X", "x R", "1 RTT", "-1 N", "999999999999999 N"})
        EXPECT_FALSE(parse_deliver_by(text)) << text;
}

TEST(Envelope, CarriesTimeAndPriority) {
    EnvelopeOptions options;
    options.release = 1796103000;
    options.deliver_by = DeliverBy{1796203000, false, true};
    options.priority = -4;
    const std::string data = encode_extension(options, {});
    using namespace std::string_literals;
    EXPECT_EQ(data, "release 1796103000\0deliver-by 1796203000 NT\0priority -4\0\0"s);
    EXPECT_EQ(decode_extension(data, 0)->options, options);
    for (const std::string& text :
         {"release 0\0\0"s, "release 253402300800\0\0"s, "deliver-by 1\0\0"s, "priority 10\0\0"s})
        EXPECT_FALSE(decode_extension(text, 0));
}

}  // namespace
}  // namespace relais::mail
