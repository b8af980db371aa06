#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "send/sender_fixture.h"

namespace relais::send {
namespace {

// The next try of what was deferred, until it has been warned of.
TEST_F(SenderTest, ADelayIsToldOnce) {
    delay_warning = 4 * 3600;
    make();
    queue.put(birth, "joe@far.example", {"ann@gone.example"});
    sender->hint(birth);
    work();
    answer(out.orders.back(), Outcome::temporary, "busy (#4.3.2)");
    for (int i = 0; i < 100 && out.reports.empty(); ++i) {
        pass(600);
        const std::size_t before = out.orders.size();
        work();
        if (out.orders.size() > before) answer(out.orders.back(), Outcome::temporary, "busy (#4.3.2)");
    }
    ASSERT_EQ(out.reports.size(), 1u);
    EXPECT_GE(wall, birth + 4 * 3600 * second);
    EXPECT_EQ(out.reports[0].kind, ReportKind::delay);
    const BounceText text = parse_bounce_text(out.reports[0].text);
    EXPECT_EQ(text.paragraphs, "<ann@gone.example>:\nbusy (#4.3.2)\n\n");
    EXPECT_EQ(text.recipients[0].status, "4.3.2");
    sender->reported(birth, ReportKind::delay, {BounceResult::Kind::accepted, 7, ""});
    EXPECT_TRUE(out.logged("report msg 1700000000000000 qp 7: warning of a delay"));
    const std::size_t orders = out.orders.size();
    make();
    sender->start_scan();
    while (sender->scan_step()) {
    }
    for (int i = 0; i < 100 && out.orders.size() == orders; ++i) {
        pass(600);
        work();
    }
    answer(out.orders.back(), Outcome::temporary, "busy");
    EXPECT_EQ(out.reports.size(), 1u) << "a restart forgets nothing";
}

TEST_F(SenderTest, NobodyElseIsWarnedOfADelay) {
    delay_warning = 100;
    make();
    queue::MessageId id = birth;
    const auto warned = [&](const std::string& from, queue::Origin origin, mail::EnvelopeOptions options,
                            mail::RecipientOptions recipient) {
        queue.put_envelope(++id, from, {"ann@h" + std::to_string(id) + ".example"}, origin, options,
                           recipient);
        sender->hint(id);
        work();
        pass(200);
        const auto ours = [&](const auto& order) { return order.message == id; };
        const auto order = std::find_if(out.orders.begin(), out.orders.end(), ours);
        if (order == out.orders.end()) throw std::runtime_error("it was not tried");
        answer(*order, Outcome::temporary, "busy");
        return std::any_of(out.reports.begin(), out.reports.end(),
                           [&](const auto& report) { return report.id == id; });
    };
    const mail::EnvelopeOptions login{.submitter = {mail::Submitter::Kind::login, "joe@far.example"}};
    EXPECT_TRUE(warned("joe@far.example", queue::Origin::network, login, {}));
    EXPECT_TRUE(warned("joe@far.example", queue::Origin::user, {}, {}));
    EXPECT_TRUE(warned("joe@far.example", queue::Origin::network, {}, {{.delay = true}}));
    EXPECT_FALSE(warned("joe@far.example", queue::Origin::network, login, {{.failure = true}}));
    EXPECT_FALSE(warned("joe@far.example", queue::Origin::network, {}, {}));
    EXPECT_FALSE(warned("", queue::Origin::network, login, {}));
    EXPECT_FALSE(warned("#@[]", queue::Origin::bounce, {}, {}));
    EXPECT_FALSE(warned("list-return-7-@far.example", queue::Origin::user, {}, {}));
    EXPECT_FALSE(warned("list-@far.example-@[]", queue::Origin::user, {}, {}));
    EXPECT_FALSE(
        warned("joe@far.example", queue::Origin::user, {.submitter = {mail::Submitter::Kind::forward}}, {}));
}

TEST_F(SenderTest, WhoNeverWantsToHearOfAFailureDoesNot) {
    queue.put_envelope(birth, "joe@far.example", {"ann@gone.example"}, queue::Origin::user, {},
                       {{.never = true}});
    sender->hint(birth);
    work();
    answer(out.orders.back(), Outcome::permanent, "no");
    EXPECT_TRUE(out.logged("failure: no/"));
    EXPECT_TRUE(out.bounces.empty());
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderTest, ADeliveryIsToldWhereThatIsAskedFor) {
    const mail::RecipientOptions success{{.success = true}, "rfc822;bob@old.example"};
    queue.put_envelope(birth, "joe@far.example", {"bob@local.example"}, queue::Origin::user, {}, success);
    sender->hint(birth);
    work();
    answer(out.orders.back(), Outcome::success, "did 1+0+0");
    ASSERT_EQ(out.reports.size(), 1u);
    EXPECT_EQ(out.reports[0].kind, ReportKind::success);
    EXPECT_EQ(parse_bounce_text(out.reports[0].text).recipients[0].orcpt, "rfc822;bob@old.example");
    EXPECT_TRUE(queue.has(birth)) << "its header goes into the report";
    EXPECT_EQ(queue.marks(birth), "D");
    sender->reported(birth, ReportKind::success, {BounceResult::Kind::accepted, 7, ""});
    EXPECT_FALSE(queue.has(birth));
}

TEST_F(SenderTest, AServerThatKnowsDsnReportsItself) {
    const mail::RecipientOptions success{{.success = true}};
    for (const bool dsn : {true, false}) {
        const queue::MessageId id = birth + (dsn ? 0 : 1);
        queue.put_envelope(id, "joe@far.example", {"ann@far.example"}, queue::Origin::user, {}, success);
        sender->hint(id);
        work();
        Report report;
        report.delivery = out.orders.back().delivery;
        report.recipients = {{Outcome::success, "yes", "2.0.0"}};
        report.server = "mx.far.example";
        report.dsn = dsn;
        sender->report(Channel::remote, report);
        EXPECT_EQ(out.reports.size(), dsn ? 0u : 1u);
    }
    EXPECT_EQ(parse_bounce_text(out.reports[0].text).recipients[0].relayed, "yes");
}

TEST_F(SenderTest, FactsStandBehindAParagraphWhereTheyAreWanted) {
    for (const bool wanted : {false, true}) {
        facts = wanted;
        make();
        accept(birth + wanted, "joe@far.example", {"ann@gone.example"});
        work();
        Report report;
        report.delivery = out.orders.back().delivery;
        report.recipients = {{Outcome::permanent, "no", "5.1.1", "550 5.1.1 no"}};
        report.server = "mx.gone.example";
        sender->report(Channel::remote, report);
        const BounceText text = parse_bounce_text(out.bounce_texts.back());
        EXPECT_EQ(text.paragraphs, "<ann@gone.example>:\nno\n\n");
        EXPECT_EQ(text.recipients[0].server, wanted ? "mx.gone.example" : "");
        EXPECT_EQ(out.bounce_texts.back() == text.paragraphs, !wanted);
    }
}

}  // namespace
}  // namespace relais::send
