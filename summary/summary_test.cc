#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "summary/words.h"

namespace relais::summary {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t a_day = 86'400;
// 30 Nov 2026 00:00:00, a Monday.
constexpr std::uint64_t monday = 1'795'996'800;

trace::Record delivery_begins(std::uint64_t number, const std::string& recipient) {
    return {
        monday, "start", {{"delivery", std::to_string(number)}, {"rcpt", recipient}, {"channel", "remote"}}};
}

trace::Record delivery_ends(std::uint64_t number, const std::string& result, std::uint64_t took) {
    return {monday + number,
            "delivery",
            {{"delivery", std::to_string(number)},
             {"result", result},
             {"milliseconds", std::to_string(took)},
             {"text", "reply " + std::to_string(number)}}};
}

trace::Record sent_by(const std::string& login, std::size_t recipients, const std::string& ip = "192.0.2.1") {
    trace::Record record{monday, "accept", {{"login", login}, {"ip", ip}, {"bytes", "100"}}};
    for (std::size_t i = 0; i < recipients; ++i) record.fields.emplace_back("rcpt", "a@b.example");
    return record;
}

Facts busy_day() {
    Facts facts;
    facts.host = "mail.example.org";
    facts.since = monday - a_day;
    facts.now = monday + 240;
    facts.before = a_day;
    facts.counted = true;
    facts.grown = {
        {"smtp.messages/smtp", 900},  {"smtp.messages/submission", 304}, {"queue.taken/network", 1204},
        {"queue.taken/bounce", 3},    {"send.success/local", 801},       {"send.success/remote", 402},
        {"send.deferral/remote", 33}, {"send.failure/remote", 4},        {"send.bounces/sent", 3},
        {"login.right/smtp", 40},     {"smtp.refused/dnsbl", 4000},      {"smtp.refused/greylist", 1310}};
    facts.earlier = {{"smtp.messages/smtp", 1100}, {"send.success/local", 801}, {"smtp.refused/dnsbl", 2000}};
    facts.levels = {{"level/queue", 12}, {"level/held", 2}};
    facts.certificates = {{"servercert.pem", monday + 12 * a_day + 300},
                          {"servercerts/shop.example.pem", monday + 80 * a_day},
                          {"servercerts/torn.pem", 0, "cannot be read"}};
    facts.free_octets = std::uint64_t{50} << 30;
    facts.all_octets = std::uint64_t{100} << 30;
    return facts;
}

Remembered busy_memory() {
    Remembered remembered;
    remembered.kept = true;
    remembered.past_days = 4;
    std::uint64_t number = 0;
    for (const auto& [recipient, took] :
         {std::pair{"x@slow.example", 40'000U}, std::pair{"x@slow.example", 2'000U},
          std::pair{"y@quick.example", 300U}}) {
        remembered.now.add(delivery_begins(++number, recipient));
        remembered.now.add(delivery_ends(number, number == 1 ? "deferral" : "success", took));
    }
    remembered.now.add(sent_by("bob", 700));
    remembered.now.add(sent_by("bob", 500, "192.0.2.7"));
    remembered.now.add(sent_by("new", 60));
    remembered.now.add(sent_by("list", 400));
    remembered.now.add(sent_by("quiet", 40));
    remembered.past.add(sent_by("bob", 160));
    remembered.past.add(sent_by("list", 1600));
    return remembered;
}

constexpr std::string_view golden = R"(Worth a look:
  control/servercert.pem: ends in 12 days, on 12 Dec 2026
  control/servercerts/torn.pem: cannot be read
  bob: recipients 1200, messages 2, addresses of clients 2; 40.0 recipients a day before
  new: recipients 60, messages 1, addresses of clients 1; none in the days before

mail.example.org, from 29 Nov 2026 00:00 to 30 Nov 2026 00:04 GMT.

Mail                                 this time      before
  accepted from clients                   1204        1103  +9 %
  taken into the queue                    1207           0
  delivered here                           801         803
  delivered elsewhere                      402           0
  tries put off                             33           0
  recipients failed                          4           0
  given up as too old                        0           0
  bounces sent                               3           0
  logins                                    40           0
  wrong logins                               0           0
  in the queue now: 12, 2 held, 0 damaged

Refused                              this time      before
  all                                     5310        2006  +165 %
    dnsbl                                 4000        2006  +99 %
    greylist                              1310           0

Slowest destinations
  slow.example: 21.0 s on average, 40.0 s at most; 1 delivered, 1 put off, 0 failed
  quick.example: 0.3 s on average, 0.3 s at most; 1 delivered, 0 put off, 0 failed

Accounts that send unusually, beside their own past
  bob: recipients 1200, messages 2, addresses of clients 2; 40.0 recipients a day before
  new: recipients 60, messages 1, addresses of clients 1; none in the days before

Certificates
  control/servercert.pem: ends in 12 days, on 12 Dec 2026
  control/servercerts/shop.example.pem: ends in 79 days, on 18 Feb 2027
  control/servercerts/torn.pem: cannot be read

Disk
  the queue's disk: 51200 of 102400 MiB free, 50 %
)";

TEST(SummaryWords, ABusyDay) {
    EXPECT_EQ(words_of_summary(busy_day(), busy_memory()), golden);
}

TEST(SummaryWords, WhatIsNotKnownIsSaid) {
    Facts facts;
    facts.host = "m";
    facts.now = monday;
    const std::string text = words_of_summary(facts, {});
    EXPECT_THAT(text, Not(HasSubstr(worth_a_look)));
    EXPECT_THAT(text, HasSubstr("There are no counters"));
    EXPECT_THAT(text, HasSubstr("(control/keeptrace)"));
    EXPECT_THAT(text, HasSubstr("disk: unknown"));
    facts = busy_day();
    facts.before = 0;
    Remembered remembered = busy_memory();
    remembered.past_days = 0.5;
    EXPECT_THAT(words_of_summary(facts, remembered), HasSubstr("no day to compare with"));
    EXPECT_THAT(words_of_summary(facts, remembered), Not(HasSubstr("before\n")));
}

TEST(SummaryWords, AFullDiskIsWorthALook) {
    Facts facts = busy_day();
    facts.certificates.clear();
    facts.free_octets = facts.all_octets / 11;
    EXPECT_TRUE(words_of_summary(facts, {}).starts_with("Worth a look:\n  the queue's disk: 9309 of"));
}

TEST(SummaryMessage, NothingInItIsAHeaderOfSomebodyElse) {
    const std::string message =
        message_of({"a@b", "c@d", "b", monday - a_day, monday}, "Worth a look:\r\nx\ry\x1b[2J\n\n\n");
    EXPECT_THAT(message, HasSubstr("Subject: Mail of b, 29 Nov 2026 to 30 Nov 2026 (worth a look)\n"));
    EXPECT_THAT(message, HasSubstr("Message-ID: <summary.1795910400@b>\n"));
    EXPECT_TRUE(message.ends_with("\n\nWorth a look:_\nx_y_[2J\n")) << message;
    EXPECT_THAT(message_of({"a@b", "c@d", "b", monday, monday}, std::string(5000, 'x')),
                Not(HasSubstr(std::string(991, 'x'))));
}

TEST(SummarySetting, WhatItMaySay) {
    EXPECT_EQ(parse_setting("daily")->every, Every::day);
    EXPECT_EQ(parse_setting("weekly  anna@example.org")->address, "anna@example.org");
    for (const char* wrong : {"", "hourly", "daily anna", "daily a@b c@d", "daily <a@b>", "daily a@b,c@d",
                              "Daily", "daily @b", "daily a@"})
        EXPECT_FALSE(parse_setting(wrong)) << wrong;
}

TEST(SummarySetting, WhenItIsDue) {
    EXPECT_FALSE(is_due(Every::day, monday, monday + a_day - 1));
    EXPECT_TRUE(is_due(Every::day, monday - 1, monday));
    EXPECT_TRUE(is_due(Every::week, monday - 1, monday));
    EXPECT_FALSE(is_due(Every::week, monday, monday + 7 * a_day - 1));
    EXPECT_TRUE(is_due(Every::week, monday, monday + 7 * a_day));
    EXPECT_FALSE(is_due(Every::day, monday + a_day, monday));
}

TEST(SummaryNumbers, CountersGrowAndBeginAnew) {
    const Numbers grown = growth({{"a/x", 5}, {"b", 9}, {"same", 3}},
                                 {{"a/x", 7}, {"b", 4}, {"new", 1}, {"same", 3}, {"level/queue", 9}});
    EXPECT_EQ(grown, (Numbers{{"a/x", 2}, {"b", 4}, {"new", 1}}));
    EXPECT_EQ(sum({{"a/x", 2}, {"a/y", 3}, {"ab/x", 9}}, "a"), 5U);
    EXPECT_EQ(sum({{"a/x", 2}, {"a/xy", 3}}, "a", "x"), 2U);
    metrics::Pages pages;
    pages[control::Role::qmailt] = {};
    EXPECT_TRUE(numbers_of(pages).empty());
    pages[control::Role::qmails] = {};
    pages[control::Role::qmails][84] = 3;
    EXPECT_EQ(sum(numbers_of(pages), "send.expired"), 3U);
}

TEST(SummaryState, ThereAndBack) {
    const State state{monday, a_day, monday + 5, {{"smtp.refused/dnsbl", 4}}, {{"send.expired", 1}}};
    const auto again = parse_state(encode(state));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->since, monday);
    EXPECT_EQ(again->before, a_day);
    EXPECT_EQ(again->trying, monday + 5);
    EXPECT_EQ(again->counted, state.counted);
    EXPECT_EQ(again->earlier, state.earlier);
    const std::string text = encode(state);
    for (const char* wrong :
         {"", "relais summary 2\nsince 1\n", "relais summary 1\n", "relais summary 1\nsince x\n"})
        EXPECT_FALSE(parse_state(wrong)) << wrong;
    EXPECT_FALSE(parse_state(text + "count a 1 2\n"));
    EXPECT_FALSE(parse_state(text + "count a 99999999999999999\n"));
    EXPECT_FALSE(parse_state(text + "\nmore\n"));
}

TEST(SummaryNumbers, WhatAReaderThatWasTakenOverMaySay) {
    Numbers numbers;
    EXPECT_FALSE(take_number("count a\x1b 1", "count", numbers));
    EXPECT_FALSE(take_number("count " + std::string(200, 'a') + " 1", "count", numbers));
    for (std::size_t i = 0; i < numbers_limit; ++i)
        take_number("count k" + std::to_string(i) + " 1", "count", numbers);
    EXPECT_FALSE(take_number("count one-more 1", "count", numbers));
    EXPECT_EQ(parse_certificate("certificate 7 a b.pem")->name, "a_b.pem");
    EXPECT_EQ(parse_certificate("unread x\x1b.pem")->name, "x_.pem");
    EXPECT_FALSE(parse_certificate("certificate 99999999999999 a"));
    EXPECT_FALSE(parse_certificate("certificate x a"));
    EXPECT_FALSE(parse_certificate("unread " + std::string(500, 'a')));
}

}  // namespace
}  // namespace relais::summary
