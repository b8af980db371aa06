#include "base/event.h"

#include <gtest/gtest.h>

#include "base/program.h"

namespace relais {
namespace {

TEST(Event, FieldsAsJson) {
    const std::vector<std::string> many(200, "x");
    const std::vector<std::string> two = {"a@b", "\"c\"\n@d"};
    Event event("accept", "accept msg 5");
    event.with("msg", 5).with("login", "").with("sender", "\xff\x01").with("rcpt", Event::List(two));
    EXPECT_EQ(event.json("qmail-smtpd", 1'700'000'000'000'042),
              "{\"time\":\"2023-11-14T22:13:20.000042Z\",\"program\":\"qmail-smtpd\",\"event\":\"accept\","
              "\"msg\":5,"
              "\"sender\":\"\xEF\xBF\xBD\\u0001\",\"rcpt\":[\"a@b\",\"\\\"c\\\"\\n@d\"]}");
    EXPECT_LT(Event("x").with("list", Event::List(many)).json("p", 0).size(), 600U);
    EXPECT_LT(Event("x").with("text", std::string(5000, 'y')).json("p", 0).size(), 1200U);
    for (int i = 0; i < 40; ++i) event.with("n", 1);
    EXPECT_EQ(event.fields().size(), Event::most_fields);
}

TEST(Event, TheClassicLineIsWhatItWas) {
    EXPECT_EQ(log_text_of(Event("end", "end msg 5").with("msg", 5), "qmail-send"), "end msg 5");
    log_as_json(true);
    EXPECT_TRUE(log_text_of(Event("end", "end msg 5").with("msg", 5), "qmail-send")
                    .ends_with("\"program\":\"qmail-send\",\"event\":\"end\",\"msg\":5}"));
    testing::internal::CaptureStderr();
    log_line("warning: \"x\"");
    log_event(Event("refuse", "refuse from 1").with("from", "1"));
    log_event(Event("wait").with("msg", 5));  // no line
    const std::string lines = testing::internal::GetCapturedStderr();
    log_as_json(false);
    EXPECT_NE(lines.find("\"event\":\"text\",\"text\":\"warning: \\\"x\\\"\"}\n"), std::string::npos)
        << lines;
    EXPECT_NE(lines.find("\"event\":\"refuse\",\"from\":\"1\"}\n"), std::string::npos) << lines;
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
}

}  // namespace
}  // namespace relais
