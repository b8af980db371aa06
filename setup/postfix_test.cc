#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "setup/postfix_file.h"
#include "setup/postfix_settings.h"

namespace relais::setup {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string record(char type, const std::string& data) {
    std::string text(1, type);
    std::size_t length = data.size();
    for (; length > 127; length >>= 7) text.push_back(static_cast<char>((length & 0x7f) | 0x80));
    text.push_back(static_cast<char>(length));
    return text + data;
}

const std::string beginning = record('C', "40 500 1 0 40 1") + record('T', "1795391255 698000");
const std::string envelope = record('S', "a@far.test") + record('R', "b@far.test");
const std::string end = record('X', "") + record('E', "");

TEST(PostfixFile, IsReadWithWhatIsSaidOfRecipients) {
    const auto file = parse_postfix_file(
        beginning + record('A', "client_address=192.0.2.1") + record('A', "ret_flags=2") +
        record('A', "envelope_id=x1") + record('S', "a@far.test") + record('A', "notify_flags=4") +
        record('A', "dsn_orig_rcpt=rfc822;b@far.test") + record('O', "B@far.test") +
        record('R', "b@far.test") + record('D', "c@far.test") + record('/', "gone@far.test") +
        record('M', "") + record('N', "Subject: x") + record('N', "") + record('L', std::string(300, 'y')) +
        record('N', "z") + record('w', "w") + end);
    EXPECT_EQ(file.fault, "");
    EXPECT_TRUE(file.whole);
    EXPECT_EQ(file.birth, 1795391255698000U);
    EXPECT_EQ(file.envelope.sender, "a@far.test");
    ASSERT_EQ(file.envelope.recipients.size(), 2U);
    EXPECT_EQ(file.envelope.recipients.mark(0), queue::Mark::to_do);
    EXPECT_EQ(file.envelope.recipients.options(0).orcpt, "rfc822;b@far.test");
    EXPECT_TRUE(file.envelope.recipients.options(0).notify.failure);
    EXPECT_EQ(file.envelope.recipients.mark(1), queue::Mark::done);
    EXPECT_FALSE(file.envelope.recipients.options(1).said());
    EXPECT_EQ(file.envelope.options.ret, mail::Ret::headers);
    EXPECT_EQ(file.envelope.options.envid, "x1");
    EXPECT_TRUE(file.envelope.options.smtputf8);
    EXPECT_EQ(file.text, "Subject: x\n\n" + std::string(300, 'y') + "z\n");
    EXPECT_EQ(file.envelope.origin, queue::Origin::network);
}

TEST(PostfixFile, FollowsAPointerOnceAndNotInACircle) {
    const std::string head = beginning + envelope + record('M', "");
    const std::string line = record('N', "new line");
    const std::size_t away = head.size() + 17 + end.size();
    const std::string there =
        record('p', std::string(15 - std::to_string(away).size(), ' ') + std::to_string(away));
    const std::size_t back = head.size() + 17;
    const std::string again =
        record('p', std::string(15 - std::to_string(back).size(), ' ') + std::to_string(back));
    const auto file = parse_postfix_file(head + there + end + line + again);
    EXPECT_EQ(file.fault, "");
    EXPECT_EQ(file.text, "new line\n");
    const std::size_t self = head.size();
    const std::string circle =
        record('p', std::string(15 - std::to_string(self).size(), ' ') + std::to_string(self));
    EXPECT_EQ(parse_postfix_file(head + circle + end).fault, "its records lead in a circle, or nowhere");
    EXPECT_EQ(parse_postfix_file(head + record('p', "99999") + end).fault,
              "its records lead in a circle, or nowhere");
}

TEST(PostfixFile, BelievesATraceOfAUserOnlyWhereNoClientWas) {
    const std::string text =
        record('M', "") + record('N', "Received: by mx.test (Postfix, from userid 1000)") + end;
    EXPECT_EQ(parse_postfix_file(beginning + envelope + text).envelope.uid, 1000U);
    const std::string client = record('A', "log_client_address=192.0.2.1");
    EXPECT_EQ(parse_postfix_file(beginning + client + envelope + text).envelope.uid, 0U);
}

TEST(PostfixFile, NamesWhatIsMissing) {
    EXPECT_EQ(parse_postfix_file("").fault, "its end is missing");
    EXPECT_EQ(parse_postfix_file(beginning + envelope + record('E', "")).fault, "there is no message in it");
    EXPECT_EQ(parse_postfix_file(beginning + record('R', "b@c.test") + record('M', "") + end).fault,
              "there is no sender in it");
    EXPECT_EQ(parse_postfix_file(beginning + record('S', "") + record('M', "") + end).fault,
              "there is no recipient in it");
    const auto odd = parse_postfix_file(beginning + envelope + record('R', std::string(2000, 'a')) +
                                        record('M', "") + end);
    EXPECT_TRUE(odd.whole);
    EXPECT_EQ(odd.fault, "1 of its recipients cannot be read");
}

TEST(PostfixFile, SaysWhatWillNotHappen) {
    const auto file = parse_postfix_file(beginning + record('L', "smtp:scan") + envelope + record('V', "+=") +
                                         record('M', "") + end);
    EXPECT_THAT(file.notes, ElementsAre("content_filter smtp:scan has not seen it and will not",
                                        "VERP was asked for: its bounces go to the plain sender"));
}

TEST(PostfixBounce, TellsOfThoseThatFailed) {
    const auto all = parse_postfix_bounce(
        "<a@b.test>: gone\nrecipient=a@b.test\naction=failed\nreason=no such user\n\n"
        "<c@d.test>: later\nrecipient=c@d.test\naction=delayed\nreason=busy\n\n");
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(bounce_paragraph(all[0].recipient, all[0].reason), "<a@b.test>:\nno such user\n\n");
}

TEST(SubmittedText, IsCompletedAndLosesBcc) {
    const Completion with{
        .sender = "a@b.test", .date = "1 Jan 2026 00:00:00 -0000", .message_id = "<1@b.test>"};
    EXPECT_EQ(completed_text("Subject: x\nBcc: s@b.test,\n t@b.test\nTo: u@b.test\n\nBcc: stays\n", with),
              "From: <a@b.test>\nDate: 1 Jan 2026 00:00:00 -0000\nMessage-Id: <1@b.test>\nSubject: x\nTo: "
              "u@b.test\n\nBcc: stays\n");
    EXPECT_EQ(
        completed_text("no header\n", with).find("\n\nno header\n"),
        std::string("From: <a@b.test>\nDate: 1 Jan 2026 00:00:00 -0000\nMessage-Id: <1@b.test>").size());
}

TEST(SubmittedText, LosesBccWithABlankBeforeItsColon) {
    const Completion with{.sender = "a@b.test", .date = "1 Jan 2026", .message_id = "<1@b.test>"};
    EXPECT_EQ(
        completed_text("From: x\nDate : y\nMessage-ID: z\nBcc : s@b.test,\n t@b.test\nBccx: stays\n\n", with),
        "From: x\nDate : y\nMessage-ID: z\nBccx: stays\n\n");
}

TEST(PostfixForms, AreRead) {
    EXPECT_EQ(parse_next_hop("[smart.test]:587")->port, 587U);
    EXPECT_TRUE(parse_next_hop("[smart.test]")->exact);
    EXPECT_FALSE(parse_next_hop("smart.test:submission")->exact);
    EXPECT_EQ(parse_next_hop("[2001:db8::1]:25")->host, "2001:db8::1");
    for (const char* odd : {"[smart.test", "smart.test:", "smart.test:0", "smart.test:99999", "[]", "a|b"})
        EXPECT_FALSE(parse_next_hop(odd)) << odd;
    EXPECT_EQ(parse_span("3h", 's'), 10800U);
    EXPECT_EQ(parse_span("5", 'd'), 432000U);
    EXPECT_FALSE(parse_span("5y", 'd'));
    EXPECT_THAT(list_of("a, b\tc,,d"), ElementsAre("a", "b", "c", "d"));
    EXPECT_THAT(parse_map("key\tvalue\nwarning: x\n\tnone\n"), ElementsAre(Pair("key", "value")));
    EXPECT_EQ(extension_of("First.Last"), "first:last");
    EXPECT_EQ(extension_of("a/b"), "");
}

TEST(PostfixFile, HasFewNotes) {
    std::string filters;
    for (int i = 0; i < 50; ++i) filters += record('L', "smtp:scan" + std::to_string(i));
    EXPECT_EQ(parse_postfix_file(beginning + filters + envelope + record('M', "") + end).notes.size(), 10U);
}

std::vector<std::string> rules_of(const std::vector<std::string>& networks) {
    std::vector<std::string> all;
    for (const RelayRule& rule : relay_rules(networks).rules) all.push_back(rule.text);
    return all;
}

TEST(RelayRules, AreOfNetworks) {
    EXPECT_THAT(rules_of({"[::1]/128", "10.0.0.0/8", "[2001:db8::]/32"}),
                ElementsAre("::1:allow,RELAYCLIENT=\"\"", "10.0.0.0/8:allow,RELAYCLIENT=\"\"",
                            "2001:db8::/32:allow,RELAYCLIENT=\"\""));
    for (const char* odd :
         {"0.0.0.0/0", "host.test", "10.0.0.0/33", "::ffff:10.0.0.1", "10.0.0.1/x", "/8", ""}) {
        EXPECT_THAT(rules_of({odd}), ElementsAre()) << odd;
        EXPECT_EQ(relay_rules({odd}).missed.size(), 1U) << odd;
    }
}

TEST(RelayRules, HaveNoBitsBeyondTheLength) {
    EXPECT_THAT(rules_of({"192.168.1.5/24", "[2001:db8::5]/64"}),
                ElementsAre("192.168.1.0/24:allow,RELAYCLIENT=\"\"", "2001:db8::/64:allow,RELAYCLIENT=\"\""));
}

TEST(RelayRules, ExceptWhatTheListExcepts) {
    EXPECT_THAT(rules_of({"!10.0.0.5", "10.0.0.0/8"}),
                ElementsAre("10.0.0.5:allow", "10.0.0.0/8:allow,RELAYCLIENT=\"\""));
    // The first entry counts.
    EXPECT_THAT(rules_of({"10.0.0.0/8", "!10.0.0.5"}), ElementsAre("10.0.0.0/8:allow,RELAYCLIENT=\"\""));
    EXPECT_THAT(rules_of({"!10.0.0.0/8", "10.1.0.0/16"}), ElementsAre("10.0.0.0/8:allow"));
    EXPECT_THAT(rules_of({"!0.0.0.0/0", "10.1.0.0/16", "::1"}), ElementsAre("::1:allow,RELAYCLIENT=\"\""));
    const auto unknown = relay_rules({"192.0.2.1", "!/etc/not", "10.0.0.0/8"});
    EXPECT_EQ(unknown.rules.size(), 1U);
    EXPECT_THAT(unknown.missed,
                ElementsAre("!/etc/not", "10.0.0.0/8 (what an entry before it excepts is not known)"));
}

// "rules" if something is proposed for tcp.smtp.
std::string proposed_clients(std::map<std::string, std::string> told, std::vector<Override> overrides = {}) {
    told.try_emplace("mynetworks", "10.0.0.0/8");
    const PostfixConfig config(std::move(told), {}, std::move(overrides));
    Proposals proposals("Postfix");
    propose_clients(config, false, proposals);
    return proposals.has("tcp.smtp") ? "rules" : "";
}

TEST(PostfixClients, RelayOnlyWhereRestrictionsPermitIt) {
    const auto with = [](const std::string& relay, const std::string& recipient) {
        return proposed_clients(
            {{"smtpd_relay_restrictions", relay}, {"smtpd_recipient_restrictions", recipient}});
    };
    const std::string usual = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination";
    EXPECT_EQ(with(usual, ""), "rules");
    EXPECT_EQ(with("", usual), "rules");
    EXPECT_EQ(with(usual, "reject_unknown_recipient_domain, check_policy_service unix:private/spf"), "rules");
    EXPECT_EQ(with("reject_non_fqdn_recipient permit_mynetworks reject", ""), "rules");
    EXPECT_EQ(with("permit_sasl_authenticated, reject_unauth_destination", ""), "");
    EXPECT_EQ(with(usual, "permit_sasl_authenticated, reject_unauth_destination"), "");
    EXPECT_EQ(with("check_client_access hash:/y, permit_mynetworks", ""), "");
    EXPECT_EQ(with("reject_unauth_destination, permit_mynetworks", ""), "");
    EXPECT_EQ(with("", ""), "");
}

TEST(PostfixClients, HaveOverridesInMasterCf) {
    const std::map<std::string, std::string> open{{"smtpd_relay_restrictions", "permit_mynetworks, reject"}};
    EXPECT_EQ(proposed_clients(open, parse_overrides("smtp/inet/mynetworks = 127.0.0.1\n")), "");
    EXPECT_EQ(proposed_clients(open, parse_overrides("[::]:25/inet/smtpd_relay_restrictions = reject\n")),
              "");
    EXPECT_EQ(proposed_clients(open, parse_overrides("submission/inet/smtpd_relay_restrictions = x\n"
                                                     "smtp/inet/smtpd_tls_security_level = may\nodd\n")),
              "rules");
}

TEST(PostfixClients, OfAMapAreAddresses) {
    const PostfixConfig config({{"mynetworks", "hash:/x, !10.0.0.5 10.0.0.0/8 pcre:/y"}},
                               {{"hash:/x", {{"192.0.2.1", ""}, {"192.0.2.0/24", ""}}}});
    std::vector<std::string> missed;
    EXPECT_THAT(config.networks(missed), ElementsAre("192.0.2.1", "!10.0.0.5", "10.0.0.0/8"));
    EXPECT_EQ(missed.size(), 2U);
}

TEST(PostfixRoutes, OfAllDomainsComeBeforeRelayhost) {
    const PostfixConfig config({{"relayhost", "[smart.test]"}, {"transport_maps", "hash:/t"}},
                               {{"hash:/t", {{"*", "smtp:[all.test]"}}}});
    Proposals proposals("Postfix");
    propose_routes(config, proposals);
    EXPECT_EQ(proposals.content("control/smtproutes"), "# Postfix: transport_maps hash:/t\n:all.test\n");
}

TEST(PostfixRoutes, NeverGoInTheClearWithDaneOnly) {
    const PostfixConfig config({{"smtp_tls_security_level", "dane-only"}}, {});
    Proposals proposals("Postfix");
    propose_routes(config, proposals);
    EXPECT_FALSE(proposals.has("control/dane"));
    EXPECT_EQ(proposals.content("control/tlsdestinations"), "# Postfix: smtp_tls_security_level\n:verify\n");
}

TEST(PostfixMembers, KnowAMapFromAnAddress) {
    std::vector<std::string> missed;
    const PostfixConfig config({}, {{"hash:/etc/domains", {{"a.test", "x"}}}});
    EXPECT_THAT(config.members("hash:/etc/domains, b.test abc:def::1 pcre:/x !c.test", missed),
                ElementsAre("a.test", "b.test", "abc:def::1"));
    EXPECT_EQ(missed.size(), 2U);
}

TEST(PostfixVirtualAliases, GiveNoShellMoreThanADomain) {
    const PostfixConfig config(
        {{"virtual_alias_domains", "a.test, c.test"}, {"virtual_alias_maps", "hash:/etc/virtual"}},
        {{"hash:/etc/virtual", {{"@a.test", "@b.test"}, {"@c.test", "@b.test;id>/tmp/x"}}}});
    Proposals proposals("Postfix");
    propose_addresses(
        config, [](const std::string&) { return false; }, proposals);
    EXPECT_TRUE(proposals.has("alias/.qmail-a:test-default"));
    EXPECT_FALSE(proposals.has("alias/.qmail-c:test-default"));
}

// What is proposed for these settings on a host with the users alice and bob.
Proposals proposed(std::map<std::string, std::string> told, std::map<std::string, MapEntries> maps) {
    Proposals proposals("Postfix");
    const auto is_user = [](const std::string& name) { return name == "alice" || name == "bob"; };
    propose_addresses(PostfixConfig(std::move(told), std::move(maps)), is_user, proposals);
    return proposals;
}

TEST(PostfixVirtualAliases, GiveNobodyTheMailOfAnotherDomain) {
    const std::map<std::string, MapEntries> maps = {
        {"hash:/v", {{"info@a.test", "x@far.test"}, {"info@b.test", "y@far.test"}, {"team", "z@far.test"}}}};
    const auto several =
        proposed({{"mydestination", "a.test, b.test, localhost"}, {"virtual_alias_maps", "hash:/v"}}, maps);
    EXPECT_FALSE(several.has("alias/.qmail-info"));
    EXPECT_TRUE(several.has("alias/.qmail-team"));
    const auto one = proposed({{"mydestination", "mx.a.test, a.test, localhost.a.test, localhost"},
                               {"myhostname", "mx.a.test"},
                               {"virtual_alias_maps", "hash:/v"}},
                              maps);
    EXPECT_TRUE(one.has("alias/.qmail-info"));
    const auto shared =
        proposed({{"mydestination", "mx.a.test, a.test"},
                  {"myhostname", "mx.a.test"},
                  {"alias_maps", "hash:/aliases"},
                  {"virtual_alias_maps", "hash:/v"}},
                 {{"hash:/v", {{"info@a.test", "x@far.test"}}}, {"hash:/aliases", {{"info", "y@far.test"}}}});
    EXPECT_FALSE(shared.has("alias/.qmail-info"));
}

TEST(PostfixVirtualAliases, ShareNoFile) {
    const auto proposals =
        proposed({{"virtual_alias_domains", "d.test, e.co, e.co-op.com"}, {"virtual_alias_maps", "hash:/v"}},
                 {{"hash:/v",
                   {{"a.b@d.test", "x@far.test"},
                    {"a:b@d.test", "y@far.test"},
                    {"default@d.test", "z@far.test"},
                    {"x-default@d.test", "z@far.test"},
                    {"@e.co", "z@far.test"},
                    {"c@d.test", "z@far.test"}}}});
    for (const char* name : {"d:test-a:b", "d:test-default", "d:test-x-default", "e:co-default"})
        EXPECT_FALSE(proposals.has(std::string("alias/.qmail-") + name)) << name;
    EXPECT_TRUE(proposals.has("alias/.qmail-d:test-c"));
}

TEST(PostfixVirtualAliases, AreThoseOfTheFirstMap) {
    const auto proposals = proposed(
        {{"virtual_alias_domains", "d.test"}, {"virtual_alias_maps", "hash:/v, hash:/w"}},
        {{"hash:/v", {{"c@d.test", "first@far.test"}}}, {"hash:/w", {{"C@d.test", "second@far.test"}}}});
    EXPECT_EQ(proposals.content("alias/.qmail-d:test-c"), "# Postfix: hash:/v c@d.test\n&first@far.test\n");
}

TEST(PostfixVirtualAliases, MayBeNamesInAListOfDomains) {
    const auto proposals =
        proposed({{"mydestination", "mx.test"},
                  {"virtual_alias_domains", "hash:/v"},
                  {"virtual_alias_maps", "hash:/v"}},
                 {{"hash:/v", {{"team", "t@far.test"}, {"d.test", "x"}, {"c@d.test", "c@far.test"}}}});
    EXPECT_TRUE(proposals.has("alias/.qmail-team"));
    EXPECT_TRUE(proposals.has("alias/.qmail-d:test-c"));
    EXPECT_EQ(proposals.content("control/virtualdomains"),
              "# Postfix: virtual_alias_domains\nd.test:alias-d.test\n");
}

TEST(PostfixVirtualAliases, GiveAUserNoMailOfADomainThatBeginsWithHisName) {
    const auto proposals =
        proposed({{"mydestination", "mx.test"},
                  {"virtual_alias_maps", "hash:/v"},
                  {"virtual_mailbox_domains", "alice-smith.de, box.test"},
                  {"virtual_mailbox_maps", "hash:/b"},
                  {"virtual_mailbox_base", "/mail"},
                  {"virtual_uid_maps", "static:5000"},
                  {"virtual_gid_maps", "static:5000"}},
                 {{"hash:/v", {{"bob-sales@mx.test", "s@far.test"}, {"all-sales@mx.test", "s@far.test"}}},
                  {"hash:/b", {{"ann@alice-smith.de", "a/ann/"}}}});
    EXPECT_EQ(proposals.content("control/virtualdomains"),
              "# Postfix: virtual_mailbox_domains\nalice-smith.de:alias-alice-smith.de\n"
              "box.test:alias-box.test\n");
    EXPECT_EQ(proposals.content("users/assign"),
              "=alias-alice-smith.de-ann:virtual:5000:5000:/mail/a/ann:::\n.\n");
    EXPECT_FALSE(proposals.has("alias/.qmail-bob-sales"));
    EXPECT_TRUE(proposals.has("alias/.qmail-all-sales"));
    Proposals odd("Postfix");
    const PostfixConfig config(
        std::map<std::string, std::string>{{"virtual_alias_domains", "alice-smith.de, d.test"}}, {});
    propose_addresses(
        config, [](const std::string& name) { return name == "alias" || name == "alias-alice"; }, odd);
    EXPECT_EQ(odd.content("control/virtualdomains"),
              "# Postfix: virtual_alias_domains\nd.test:alias-d.test\n");
}

TEST(PostfixVirtualAliases, HaveNamesThatADirectoryCanHave) {
    const std::string domain = std::string(60, 'a') + "." + std::string(60, 'b') + ".test";
    const std::string fits = std::string(250 - 8 - domain.size(), 'u'), longer = fits + "u";
    const auto proposals =
        proposed({{"virtual_alias_domains", domain}, {"virtual_alias_maps", "hash:/v"}},
                 {{"hash:/v", {{fits + "@" + domain, "x@far.test"}, {longer + "@" + domain, "x@far.test"}}}});
    EXPECT_TRUE(proposals.has("alias/.qmail-" + extension_of(domain) + "-" + fits));
    EXPECT_FALSE(proposals.has("alias/.qmail-" + extension_of(domain) + "-" + longer));
    EXPECT_EQ(proposed({{"virtual_alias_domains", std::string(201, 'd')}, {"virtual_alias_maps", "hash:/v"}},
                       {{"hash:/v", {{"a@" + std::string(201, 'd'), "x@far.test"}}}})
                  .content("alias/.qmail--a"),
              "");
}

}  // namespace
}  // namespace relais::setup
