#include "queue/select.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/time.h"
#include "queue/test_home.h"

namespace relais::queue {
namespace {

class Select : public ::testing::Test {
  protected:
    MessageId put(std::int64_t age, const std::string& sender,
                  const std::vector<std::pair<std::string, Mark>>& recipients, const Status& status = {}) {
        const MessageId id = static_cast<MessageId>(now_seconds() - age) * 1'000'000 + next_++;
        Envelope envelope{100, 0, Origin::user, sender, {}};
        for (const auto& [address, mark] : recipients)
            envelope.recipients.push_back({address, Mark::to_do, 0});
        std::string octets = encode_envelope(envelope);
        Checksum sum;
        sum.update("body");
        sum.update(octets);
        envelope.recipients = {};
        for (const auto& [address, mark] : recipients) envelope.recipients.push_back({address, mark, 0});
        write(id, "body" + encode_envelope(envelope) + encode_status(status) +
                      encode_footer({4, octets.size(), sum.value()}));
        return id;
    }
    void write(MessageId id, const std::string& content) {
        std::ofstream(message_path(directory_.home(), id), std::ios::binary) << content;
    }
    std::vector<MessageId> chosen(const Filter& filter) const {
        std::vector<MessageId> ids;
        select(directory_.home(), filter, [&](const SeenMessage& seen) {
            ids.push_back(seen.id());
            return true;
        });
        return ids;
    }
    std::vector<MessageId> in_state(const char* state) const {
        Filter filter;
        filter.states = {state};
        return chosen(filter);
    }

    TestHome directory_;
    MessageId next_ = 0;
};

Status tried(std::uint32_t tries, bool hold) {
    Status status;
    status.tries = tries;
    status.hold = hold;
    return status;
}

using Ids = std::vector<MessageId>;

}  // namespace

TEST(Filters, ByLogin) {
    SeenMessage seen;
    Filter filter;
    filter.login = "ann@*";
    EXPECT_FALSE(filter.empty());
    EXPECT_FALSE(filter.matches(seen));
    seen.message.envelope.options.submitter = {mail::Submitter::Kind::login, "ann@mail.test"};
    EXPECT_TRUE(filter.matches(seen));
    seen.message.envelope.options.submitter.kind = mail::Submitter::Kind::open_smtp;
    EXPECT_FALSE(filter.matches(seen));
}

TEST_F(Select, ByEveryCondition) {
    const MessageId old =
        put(7200, "News@list.test", {{"a@one.test", Mark::to_do}, {"b@two.test", Mark::done}});
    const MessageId young = put(60, "", {{"c@sub.two.test", Mark::to_do}});
    Filter filter;
    EXPECT_EQ(chosen(filter), (Ids{old, young}));
    filter.sender = "news@*";
    EXPECT_EQ(chosen(filter), Ids{old});
    filter.newer = std::chrono::seconds(100);
    EXPECT_EQ(chosen(filter), Ids{});
    filter = {};
    filter.sender = "";
    EXPECT_EQ(chosen(filter), Ids{young});
    filter = {};
    filter.older = std::chrono::seconds(100);
    EXPECT_EQ(chosen(filter), Ids{old});
    filter = {};
    filter.domain = ".two.test";
    EXPECT_EQ(chosen(filter), Ids{young});
    filter.domain = "two.test";  // its only recipient there is done
    EXPECT_EQ(chosen(filter), Ids{});
    filter = {};
    filter.recipient = "A@*";
    EXPECT_EQ(chosen(filter), Ids{old});
    filter = {};
    filter.ids = {young, 1, young};
    EXPECT_EQ(chosen(filter), Ids{young});
}

TEST_F(Select, ByState) {
    const MessageId fresh = put(1, "s", {{"a", Mark::to_do}});
    const MessageId deferred = put(2, "s", {{"a", Mark::to_do}}, tried(2, false));
    const MessageId partly = put(3, "s", {{"a", Mark::to_do}, {"b", Mark::failed}});
    const MessageId bouncing = put(4, "s", {{"a", Mark::done}, {"b", Mark::failed}});
    const MessageId done = put(5, "s", {{"a", Mark::done}});
    const MessageId held = put(6, "s", {{"a", Mark::to_do}}, tried(0, true));
    const MessageId damaged = static_cast<MessageId>(now_seconds() - 7) * 1'000'000;
    write(damaged, "half a message");
    EXPECT_EQ(in_state("new"), (Ids{held, fresh}));
    EXPECT_EQ(in_state("deferred"), (Ids{partly, deferred}));
    EXPECT_EQ(in_state("partly"), Ids{partly});
    EXPECT_EQ(in_state("bouncing"), Ids{bouncing});
    EXPECT_EQ(in_state("done"), Ids{done});
    EXPECT_EQ(in_state("held"), Ids{held});
    EXPECT_EQ(in_state("damaged"), Ids{damaged});
    Filter filter;
    filter.sender = "*";
    EXPECT_EQ(chosen(filter).size(), 6u);
}

TEST_F(Select, SeesAWrongChecksumOnlyWhenItLooks) {
    const MessageId id = put(1, "s", {{"a", Mark::to_do}});
    std::fstream(message_path(directory_.home(), id), std::ios::in | std::ios::out | std::ios::binary) << "B";
    EXPECT_EQ(in_state("new"), Ids{id});
    EXPECT_EQ(in_state("damaged"), Ids{id});
}

TEST_F(Select, StopsWhenTold) {
    for (int i = 0; i < 5; ++i) put(i, "s", {{"a", Mark::to_do}});
    int seen = 0;
    select(directory_.home(), {}, [&](const SeenMessage&) { return ++seen < 2; });
    EXPECT_EQ(seen, 2);
}

TEST(SelectWithoutQueue, SaysWhatIsMissing) {
    EXPECT_THROW(select(control::Home("/nonexistent"), {}, [](const SeenMessage&) { return true; }), Error);
}

TEST(Span, KnowsUnits) {
    EXPECT_EQ(parse_span("90")->count(), 90);
    EXPECT_EQ(parse_span("15m")->count(), 900);
    EXPECT_EQ(parse_span("2h")->count(), 7200);
    EXPECT_EQ(parse_span("1w")->count(), 604800);
    for (const char* text : {"", "h", "-1h", "1x", "1 h", "99999999999999999999", "9999999999w"})
        EXPECT_FALSE(parse_span(text)) << text;
}

}  // namespace relais::queue
