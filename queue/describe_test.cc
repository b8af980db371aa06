#include "queue/describe.h"

#include <gtest/gtest.h>

namespace relais::queue {
namespace {

SeenMessage sample() {
    SeenMessage seen;
    seen.message.id = 1'000'000'000'000'007;
    seen.message.message_size = 1234;
    seen.message.envelope = {501,
                             77,
                             Origin::network,
                             "a@b.test",
                             {{"x@local.test", Mark::done, 0}, {"y@far.test", Mark::to_do, 0}}};
    seen.message.status = {.hold = false,
                           .tries = 3,
                           .next_try = 1'000'001'000,
                           .last_try = 1'000'000'500,
                           .last_error = "no\x1b[31m way"};
    return seen;
}

const send::RewriteRules& rules() {
    static const send::RewriteRules all("me.test", {"local.test"}, {}, {});
    return all;
}

Surroundings around(std::string why = "") {
    return {rules(), 1'000'000'600, std::move(why), "", "/queue/x"};
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

}  // namespace

TEST(Printable, KeepsUtf8AndNothingThatCommandsATerminal) {
    EXPECT_EQ(printable("jos\xc3\xa9@\xe4\xbe\x8b.test \xf0\x9f\x93\xa7"),
              "jos\xc3\xa9@\xe4\xbe\x8b.test \xf0\x9f\x93\xa7");
    EXPECT_EQ(printable("a\x1b[2J\nb\x7f\r"), "a_[2J_b__");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "__31m");
    EXPECT_EQ(printable("\xff\xc3"), "__");
    EXPECT_EQ(printable("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe0\x80\x80"), "____________");
}

TEST(Describe, TableHasWhatMatters) {
    const std::string text = table_rows(sample(), around());
    EXPECT_HAS(text, "1000000000000007");
    EXPECT_HAS(text, "deferred");
    EXPECT_HAS(text, "<a@b.test> -> y@far.test and 1 more");
    EXPECT_HAS(text, "the last try failed: no_[31m way");
    const std::string told = table_rows(sample(), around("its destination is backed off"));
    EXPECT_HAS(told, "    its destination is backed off\n    last error: no_[31m way\n");
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t times = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++times;
    return times;
}

TEST(Describe, AnErrorOfSeveralReasonsIsToldOnce) {
    SeenMessage seen = sample();
    seen.message.status.last_error = "Connected to 192.0.2.1\nbut it said: 451 later";
    // In qmail-send's words a slash stands for a line end.
    const std::string why =
        "y@far.test waits: Connected to 192.0.2.1/but it said: 451 later\n"
        "z@far.test waits: Connected to 192.0.2.1/but it said: 451 later\n"
        "x@other.test waits: no route\n";
    for (const std::string& text : {table_rows(seen, around(why)), details(seen, around(why))}) {
        EXPECT_HAS(text, "    y@far.test waits: Connected to 192.0.2.1/but it said: 451 later\n");
        EXPECT_HAS(text, "    z@far.test waits: the same\n");
        EXPECT_HAS(text, "    x@other.test waits: no route\n");
    }
    EXPECT_EQ(count(table_rows(seen, around(why)), "451 later"), 1U);
    // Where no reason has it, it has its own line.
    EXPECT_EQ(count(table_rows(seen, around("its destination is backed off")), "451 later"), 1U);
    EXPECT_EQ(count(table_rows(seen, around("its destination is backed off")), "the same"), 0U);
}

TEST(Describe, DetailsHaveEverything) {
    Surroundings all = around();
    all.bounce_text = "<z@far.test>:\nno such user\n";
    const std::string text = details(sample(), all);
    for (const char* part : {"message: 1000000000000007\n", "file: /queue/x\n", "state: deferred, partly\n",
                             "from: network, uid 501, qp 77\n", "tries: 3\n",
                             "next try: 9 Sep 2001 02:03:20 GMT\n", "recipient: done local x@local.test\n",
                             "recipient: to_do remote y@far.test\n", "    no such user\n"})
        EXPECT_HAS(text, part);
}

TEST(Describe, JsonKeepsIdsAsStringsAndSurvivesAnyOctets) {
    SeenMessage seen = sample();
    seen.message.envelope.sender = "\xff\"\\@b";
    const std::string text = json(seen, around("because"));
    EXPECT_TRUE(text.starts_with(R"({"id":"1000000000000007",)")) << text;
    for (const char* part : {R"("qp":"77")", R"("bytes":1234)", R"("why":"because")",
                             R"("next_try":1000001000)", "\"sender\":\"\xef\xbf\xbd\\\"\\\\@b\"",
                             R"("recipients":[{"address":"x@local.test","state":"done","channel":"local"},)",
                             R"({"address":"y@far.test","state":"to_do","channel":"remote"}]})"})
        EXPECT_HAS(text, part);
}

TEST(Describe, ADamagedMessageHasAnIdAlone) {
    SeenMessage seen;
    seen.message.id = 1'000'000'000'000'007;
    seen.damaged = true;
    EXPECT_HAS(table_rows(seen, around()), "damaged");
    EXPECT_HAS(details(seen, around()), "state: damaged\n");
    EXPECT_HAS(json(seen, around()), R"("state":"damaged")");
}

TEST(Describe, TheNextTryComesFromTheStatusOrElseTheSchedule) {
    SeenMessage seen = sample();
    EXPECT_EQ(next_try(seen, rules()), 1'000'001'000);
    seen.message.status.next_try = 0;
    EXPECT_GT(next_try(seen, rules()), 1'000'000'500);
    seen.message.status.hold = true;
    EXPECT_EQ(next_try(seen, rules()), 0);
    EXPECT_EQ(span_text(45), "45s");
    EXPECT_EQ(span_text(3600 * 3), "3h");
    EXPECT_EQ(span_text(86400 * 3), "3d");
    EXPECT_EQ(span_text(-5), "0s");
}

}  // namespace relais::queue
