#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "setup/exim_file.h"
#include "setup/exim_settings.h"

namespace relais::setup {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* id = "1abcde-000001-AB";
const std::string top = "1abcde-000001-AB-H\nann 1000 1001\n<ann@far.test>\n1795391255 0\n";

std::string with_fields(const std::string& text) {
    const std::string trace = "Received: by mx.test\n", subject = "Subject: x\n", gone = "X-Gone: y\n";
    return text + "\n0" + std::to_string(trace.size()) + "P " + trace + "0" + std::to_string(subject.size()) +
           "  " + subject + "0" + std::to_string(gone.size()) + "* " + gone;
}

TEST(EximHeader, IsReadWithWhatIsSaidOfRecipients) {
    const auto header = parse_exim_header(
        with_fields(
            top + "-received_time_usec .698000\n-local\n--aclm 0 5\n-x\nyz\n-dsn_ret 2\n-dsn_envid "
                  "e1\nXX\n3\nbob@far.test\n"
                  "carl@far.test rfc822;carl@far.test 20,24  0,-1#3\ndora@far.test owner@far.test 14,-1#1\n"),
        id);
    EXPECT_EQ(header.fault, "");
    EXPECT_TRUE(header.whole);
    EXPECT_EQ(header.birth, 1795391255698000U);
    EXPECT_EQ(header.envelope.sender, "ann@far.test");
    EXPECT_EQ(header.envelope.uid, 1000U);
    EXPECT_EQ(header.envelope.origin, queue::Origin::user);
    EXPECT_EQ(header.envelope.options.ret, mail::Ret::headers);
    ASSERT_EQ(header.envelope.recipients.size(), 3U);
    EXPECT_EQ(header.envelope.recipients.address(0), "bob@far.test");
    EXPECT_EQ(header.envelope.recipients.address(1), "carl@far.test");
    EXPECT_EQ(header.envelope.recipients.options(1).orcpt, "rfc822;carl@far.test");
    EXPECT_TRUE(header.envelope.recipients.options(1).notify.failure);
    EXPECT_TRUE(header.envelope.recipients.options(1).notify.delay);
    EXPECT_EQ(header.envelope.recipients.address(2), "dora@far.test");
    EXPECT_EQ(header.fields, "Received: by mx.test\nSubject: x\n");
    EXPECT_FALSE(header.envelope.options.hold);
}

TEST(EximHeader, BelievesAUserOnlyWhereNoHostWas) {
    EXPECT_EQ(
        parse_exim_header(with_fields(top + "-local\n-host_address 192.0.2.1.25\nXX\n1\nb@c.test\n"), id)
            .envelope.uid,
        0U);
    EXPECT_EQ(parse_exim_header(with_fields(top + "XX\n1\nb@c.test\n"), id).envelope.uid, 0U);
}

TEST(EximHeader, FrozenIsHeld) {
    EXPECT_TRUE(parse_exim_header(with_fields(top + "-frozen 1795391256\nXX\n1\nb@c.test\n"), id)
                    .envelope.options.hold);
}

TEST(EximHeader, HasATreeOfThoseWhoHadIt) {
    const auto header = parse_exim_header(
        with_fields(top + "YY b@c.test\nNN a@c.test\nNY d@c.test\nNN e@c.test\n1\nb@c.test\n"), id);
    EXPECT_EQ(header.fault, "");
    EXPECT_THAT(header.done, ElementsAre("b@c.test", "a@c.test", "d@c.test", "e@c.test"));
    queue::Envelope marked = header.envelope;
    EXPECT_THAT(mark_done(marked, {"b@C.test", "child@c.test"}), ElementsAre("child@c.test"));
    EXPECT_EQ(marked.recipients.mark(0), queue::Mark::done);
    EXPECT_THAT(mark_done(marked, {"B@c.test"}), ElementsAre("B@c.test"));
}

TEST(EximHeader, NamesWhatIsMissing) {
    const auto fault = [](const std::string& text) { return parse_exim_header(text, id).fault; };
    EXPECT_EQ(fault(""), "it does not begin with its name");
    EXPECT_EQ(fault("1abcde-000001-AC-H\n"), "it does not begin with its name");
    EXPECT_EQ(fault("1abcde-000001-AB-H\nann 1 1\nann@far.test\n1 0\n"), "there is no sender in it");
    EXPECT_EQ(fault("1abcde-000001-AB-H\nann 1 1\n<>\nx 0\n"), "there is no time in it");
    EXPECT_EQ(fault(top + "--aclm 0 50\nx\nXX\n1\na@b.test\n"), "its options cannot be read");
    EXPECT_EQ(fault(top + "YN b@c.test\nXX\n1\na@b.test\n"), "who has had it cannot be read");
    EXPECT_EQ(fault(top + "XX\nmany\n"), "the number of its recipients is missing");
    EXPECT_EQ(fault(top + "XX\n99999999\na@b.test\n"), "the number of its recipients is missing");
    EXPECT_EQ(fault(top + "XX\n3\na@b.test"), "its recipients are cut off");
    EXPECT_EQ(fault(top + "XX\n0\n\n"), "there is no recipient in it");
    EXPECT_EQ(fault(top + "XX\n1\na@b.test\n\n100P Received: x\n"), "its header fields are cut off");
    const auto odd =
        parse_exim_header(with_fields(top + "XX\n2\na@b.test\n" + std::string(2000, 'x') + "\n"), id);
    EXPECT_TRUE(odd.whole);
    EXPECT_EQ(odd.fault, "1 of its recipients cannot be read");
}

TEST(EximBody, IsWhatStandsBehindItsName) {
    EXPECT_EQ(parse_exim_body("1abcde-000001-AB-D\na\r\nb", id, false), "a\r\nb");
    EXPECT_EQ(parse_exim_body("1abcde-000001-AB-D\na\r\nb\rc", id, true), "a\nb\rc");
    EXPECT_FALSE(parse_exim_body("1abcde-000001-AC-D\na\n", id, false));
    EXPECT_THAT(parse_exim_journal("a@b.test\nc@d.test\ncut@o"), ElementsAre("a@b.test", "c@d.test"));
}

TEST(EximAnswers, AreReadAndNotRun) {
    const auto answers = parse_exim_answers("# x\ndc_smarthost='a::587'\ndc_x=\"$(id)\"\nbad\n");
    EXPECT_EQ(answers.at("dc_smarthost"), "a::587");
    EXPECT_EQ(answers.at("dc_x"), "$(id)");
    EXPECT_THAT(exim_list("a.test : b.test"), ElementsAre("a.test", "b.test"));
    EXPECT_THAT(exim_list("127.0.0.1 ; ::1"), ElementsAre("127.0.0.1", "::1"));
    EXPECT_THAT(exim_list("smart.test::587"), ElementsAre("smart.test:587"));
    EXPECT_THAT(exim_list(""), IsEmpty());
    EXPECT_EQ(exim_login("# c\n*.smart.test:u:p:q\n*:v:w\n", "mx.smart.test"), "u:p:q");
    EXPECT_EQ(exim_login("x.test:u:p\n", "mx.smart.test"), "");
}

TEST(EximSettings, NameWhatNothingHereReads) {
    EximConfig config;
    config.answers = {{"dc_eximconfig_configtype", "satellite"},
                      {"dc_readhost", "hub.test"},
                      {"dc_relay_nets", "!10.0.0.5 ; 10.0.0.0/8 ; !net.test ; 192.0.2.0/24"}};
    config.files = {"conf.d", "exim4.conf.template", "hubbed_hosts"};
    Proposals proposals("Exim");
    propose_exim(config, false, proposals);
    const auto named = proposals.by_hand_names();
    EXPECT_TRUE(named.contains("dc_readhost"));
    EXPECT_TRUE(named.contains("hubbed_hosts"));
    EXPECT_TRUE(named.contains("exim4.conf.template"));
    EXPECT_FALSE(named.contains("conf.d"));
    EXPECT_EQ(proposals.content("tcp.smtp"),
              "# Exim: Debian's configuration\n127.0.0.1:allow,RELAYCLIENT=\"\"\n::1:allow,RELAYCLIENT=\"\"\n"
              "# Exim: dc_relay_nets\n10.0.0.5:allow\n10.0.0.0/8:allow,RELAYCLIENT=\"\"\n"
              "# Exim: dc_relay_nets (others may not relay)\n:allow\n");
}

}  // namespace
}  // namespace relais::setup
