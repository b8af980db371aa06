#include <gtest/gtest.h>

#include "explain/audit.h"
#include "explain/listener.h"
#include "explain/watch.h"

namespace relais::explain {
namespace {

TEST(RunScript, TellsWhatTcpserverIsTold) {
    const auto listener =
        parse_run_script("qmail-smtpd",
                         "#!/bin/sh\n# tcpserver -x wrong\nexec env - PATH=/bin \\\n"
                         "    tcpserver -v -R -H -l 0 -x /var/qmail/tcp.smtp.cdb \"$address\" "
                         "\"$port\" qmail-smtpd\n");
    ASSERT_TRUE(listener);
    EXPECT_EQ(listener->rules, "/var/qmail/tcp.smtp.cdb");
    EXPECT_TRUE(listener->tcpserver);
    EXPECT_FALSE(listener->names);
    EXPECT_FALSE(listener->relays_all);
}

TEST(RunScript, KnowsOurListenerNamesAndRelayclient) {
    const auto own = parse_run_script("x", "exec qmail-smtpd \"$@\" -x '/a b.cdb' -c 40\n");
    ASSERT_TRUE(own);
    EXPECT_FALSE(own->tcpserver);
    EXPECT_FALSE(own->names);
    const auto open =
        parse_run_script("x", "RELAYCLIENT= tcpserver -vxt.cdb 0 25 /var/qmail/bin/qmail-smtpd");
    ASSERT_TRUE(open);
    EXPECT_TRUE(open->names);
    EXPECT_TRUE(open->relays_all);
    EXPECT_EQ(open->rules, "t.cdb");
    EXPECT_FALSE(parse_run_script("x", "exec tcpserver 0 110 qmail-popup h qmail-pop3d Maildir"));
}

TEST(RunScript, ASubmissionServerIsNotTakenForTheOneForEverybody) {
    const auto own = parse_run_script("a", "exec env - PATH=$PATH SUBMISSION=1 qmail-smtpd --tls -x c.cdb");
    ASSERT_TRUE(own);
    EXPECT_TRUE(own->submission);
    auto other = *own;
    other.name = "b";
    other.submission = false;
    EXPECT_EQ(choose_listener({*own, other}, "", true).name, "b");
    EXPECT_EQ(choose_listener({*own, other}, "a", true).name, "a");
}

TEST(Listener, TakesAFamily) {
    Listener listener;
    listener.address = "127.0.0.1";
    EXPECT_FALSE(listener.takes(true));
    listener.address = "::1";
    EXPECT_TRUE(listener.takes(true));
    EXPECT_FALSE(listener.takes(false));
    listener.address = "0";
    EXPECT_TRUE(listener.takes(true));
}

TEST(Sources, StandBesideTheCdb) {
    EXPECT_EQ(sources_of("/etc/tcp.smtp.cdb"), std::vector<std::string>{"/etc/tcp.smtp"});
    EXPECT_EQ(sources_of("/q/tcp.smtp6.cdb"), (std::vector<std::string>{"/q/tcp.smtp6", "/q/tcp.smtp"}));
    EXPECT_TRUE(sources_of("/q/rules").empty());
}

TEST(LoggedRefusal, IsParsed) {
    const auto refusal = parse_refusal(
        "@4000000067410f2a0d1c2b3c qmail-smtpd: refuse from 192.0.2.7 helo x sender <a@b> rcpt <c@d> reason "
        "553 no: why");
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->time, 1732316960);
    EXPECT_EQ(refusal->ip, "192.0.2.7");
    EXPECT_EQ(refusal->helo, "x");
    EXPECT_EQ(refusal->sender, "a@b");
    EXPECT_EQ(refusal->recipient, "c@d");
    EXPECT_EQ(refusal->reason, "553 no: why");
}

TEST(LoggedRefusal, WhatThereWasNotIsNothing) {
    const auto refusal = parse_refusal("refuse from ::1 helo - sender - rcpt - reason 421 too many");
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->time, 0);
    EXPECT_EQ(refusal->helo, "");
    EXPECT_EQ(refusal->sender, std::nullopt);
    EXPECT_EQ(refusal->recipient, std::nullopt);
    EXPECT_EQ(parse_refusal("refuse from ::1 helo - sender <> rcpt <c@d> reason x")->sender, "");
}

TEST(LoggedRefusal, OtherLinesAreNone) {
    for (const char* line :
         {"", "accept msg 1 from 1.2.3.4 helo x", "refuse from 1.2.3.4", "refuse from 1 helo 2 sender 3",
          "accept msg 1 from 1.2.3.4 helo refuse from 5.6.7.8 helo x sender - rcpt - reason r"})
        EXPECT_FALSE(parse_refusal(line)) << line;
}

TEST(Breadth, CountsPublicAddresses) {
    EXPECT_EQ(breadth_of_key("192.0.2.1").ipv4, 1);
    EXPECT_EQ(breadth_of_key("198.51.100.").ipv4, 256);
    EXPECT_EQ(breadth_of_key("8.").ipv4, 16777216);
    EXPECT_EQ(breadth_of_key("").ipv4, 4294967296);
    EXPECT_EQ(breadth_of_key("2001:db8::/32").ipv6, 1);
    EXPECT_EQ(breadth_of_key("2001:").ipv6, 65536);
    EXPECT_EQ(breadth_of_key("2001:db8:").ipv6, 1);
    EXPECT_EQ(breadth_of_key("::/0").ipv6, 536870912);
}

TEST(Breadth, InnerNetworksAndNonsenseAreNothing) {
    for (const char* key :
         {"10.", "127.", "192.168.1.", "172.16.", "fe80::/10", "fd00::/8", "::1", "300.", "1.2.3.4.", "1.2.3",
          "x", "=.example", "info@1.2.3.4", "::", ":", "2001:db8::/999"}) {
        EXPECT_EQ(breadth_of_key(key).ipv4, 0) << key;
        EXPECT_EQ(breadth_of_key(key).ipv6, 0) << key;
    }
}

}  // namespace
}  // namespace relais::explain
