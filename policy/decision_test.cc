#include "policy/decision.h"

#include <gtest/gtest.h>

namespace relais::policy {
namespace {

const opensmtp::Moment now{1'000'000, 50'000, "this-boot"};

opensmtp::OpenSmtpFinding finding_of(std::int64_t seconds, std::int64_t lifetime) {
    opensmtp::OpenSmtpFinding finding;
    finding.entry =
        opensmtp::Entry{"192.0.2.7", "anna", "pop3", {now.wall - seconds, now.boot - seconds, now.boot_id}};
    finding.live = opensmtp::live(*finding.entry, lifetime, now);
    finding.text = "last login " + opensmtp::login_text(*finding.entry, now);
    return finding;
}

Inputs foreign() {
    Inputs inputs;
    inputs.domain = {Reason::foreign_domain, "foreign.example"};
    return inputs;
}

TEST(Decision, AsksInTheDocumentedOrder) {
    const opensmtp::OpenSmtpFinding open = finding_of(60, 10800);
    Inputs inputs = foreign();
    inputs.open_smtp = &open;
    EXPECT_EQ(decide(inputs).reason, Reason::open_smtp);
    EXPECT_EQ(decide(inputs).why, "open-smtp entry (last login 1 min ago by anna over pop3)");
    inputs.user = "bob";
    EXPECT_EQ(decide(inputs).reason, Reason::authenticated);
    inputs.certificate = "CN=relay";
    EXPECT_EQ(decide(inputs).reason, Reason::certificate);
    inputs.relayclient = "";
    EXPECT_EQ(decide(inputs).reason, Reason::client_rule);
    EXPECT_TRUE(decide(inputs).allowed);
}

TEST(Decision, RefusalNamesWhatWasMissing) {
    Inputs inputs = foreign();
    EXPECT_TRUE(needs_open_smtp(inputs));
    EXPECT_FALSE(decide(inputs).allowed);
    EXPECT_EQ(decide(inputs).why, "no rule, no open-smtp entry, not authenticated");
    const opensmtp::OpenSmtpFinding old = finding_of(3 * 3600 + 12 * 60 + 5, 10800);
    inputs.open_smtp = &old;
    EXPECT_FALSE(decide(inputs).allowed);
    EXPECT_EQ(decide(inputs).why,
              "no rule, no open-smtp entry (last login 3 h 12 min ago by anna over pop3), not authenticated");
}

TEST(Decision, ExcludedAddressIsNamed) {
    opensmtp::OpenSmtpFinding finding = finding_of(60, 10800);
    finding.live = false;
    finding.excluded = "192.0.2.0/24";
    Inputs inputs = foreign();
    inputs.open_smtp = &finding;
    EXPECT_EQ(decide(inputs).why,
              "no rule, logins from there open nothing (opensmtpexclude 192.0.2.0/24), not authenticated");
}

TEST(Decision, OwnDomainsNeedNoRight) {
    Inputs inputs;
    inputs.domain = {Reason::rcpthosts, "mail.test"};
    EXPECT_FALSE(needs_open_smtp(inputs));
    EXPECT_TRUE(decide(inputs).allowed);
    EXPECT_FALSE(right_to_relay(inputs));
    inputs.domain = {Reason::no_domain, ""};
    EXPECT_TRUE(decide(inputs).allowed);
}

TEST(Decision, ExplainEndsWithTheStepThatDecided) {
    const opensmtp::OpenSmtpFinding open = finding_of(60, 10800);
    Inputs inputs = foreign();
    EXPECT_EQ(explain(inputs).size(), 4U);
    inputs.open_smtp = &open;
    const auto steps = explain(inputs);
    ASSERT_EQ(steps.size(), 3U);
    EXPECT_EQ(steps.back().question, "open-smtp");
    EXPECT_TRUE(steps.back().decided);
}

TEST(Liveness, CountsByTimeSinceBoot) {
    const opensmtp::Entry entry{"192.0.2.7", "", "pop3", {now.wall, now.boot, now.boot_id}};
    // The wall clock was set back or forward by a day: it does not matter.
    for (const std::int64_t step : {-86400, 86400}) {
        EXPECT_TRUE(opensmtp::live(entry, 10800, {now.wall + step, now.boot + 10799, now.boot_id}));
        EXPECT_FALSE(opensmtp::live(entry, 10800, {now.wall + step, now.boot + 10800, now.boot_id}));
    }
    EXPECT_FALSE(opensmtp::live(entry, 0, now));
    EXPECT_FALSE(opensmtp::live(entry, 10800, {now.wall, now.boot - 1, now.boot_id}))
        << "not before it was made";
}

TEST(Liveness, AfterAnotherBootByTheWallClock) {
    const opensmtp::Entry entry{"192.0.2.7", "", "pop3", {now.wall, now.boot, "last-boot"}};
    EXPECT_TRUE(opensmtp::live(entry, 10800, {now.wall + 300, 60, "this-boot"}));
    EXPECT_FALSE(opensmtp::live(entry, 10800, {now.wall + 10800, 60, "this-boot"}));
    // Whatever the wall clock says, it is older than this boot.
    EXPECT_FALSE(opensmtp::live(entry, 10800, {now.wall + 300, 10800, "this-boot"}));
    // From the future: set back before or during the boot. It proves nothing.
    EXPECT_FALSE(opensmtp::live(entry, 10800, {now.wall - 1, 60, "this-boot"}));
}

TEST(SpanText, IsForPeople) {
    EXPECT_EQ(opensmtp::span_text(0), "0 s");
    EXPECT_EQ(opensmtp::span_text(59), "59 s");
    EXPECT_EQ(opensmtp::span_text(60), "1 min");
    EXPECT_EQ(opensmtp::span_text(3600), "1 h");
    EXPECT_EQ(opensmtp::span_text(11525), "3 h 12 min");
    EXPECT_EQ(opensmtp::span_text(2 * 86400 + 3 * 3600), "2 d 3 h");
}

}  // namespace
}  // namespace relais::policy
