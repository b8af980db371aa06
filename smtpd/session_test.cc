#include "smtpd/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "smtpd/test_home.h"

namespace relais::smtpd {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

struct Message {
    std::string text;
    std::string sender;
    std::vector<std::string> recipients;
    mail::EnvelopeOptions options{};
    std::vector<mail::RecipientOptions> of_recipients{};
};

class SessionTest : public testing::Test {
  protected:
    SessionTest() {
        client.ip = "192.0.2.7";
        client.local_name = "mx.test";
        settings.me = settings.greeting = "mail.test";
        settings.timeout = std::chrono::seconds(20);
        files.control("rcpthosts", "mail.test\n");
    }

    // A sink that keeps what is finished, and answers as told.
    class Sink : public MessageSink {
      public:
        explicit Sink(SessionTest& test) : test_(test) { ++test_.sinks_opened; }
        void begin(const mail::Envelope& envelope) override {
            message_.options = envelope.options;
            for (const mail::Recipient& recipient : envelope.recipients)
                message_.of_recipients.push_back(recipient.options);
        }
        void write(std::string_view text) override { message_.text += text; }
        queue::SubmitAnswer finish(const std::string& sender,
                                   const std::vector<std::string>& recipients) override {
            message_.sender = sender;
            message_.recipients = recipients;
            if (test_.answer.code == queue::SubmitCode::accepted) test_.messages.push_back(message_);
            return test_.answer;
        }
        std::uint64_t qp() const override { return 42; }

      private:
        SessionTest& test_;
        Message message_;
    };

    // Sends the input, closes, and returns the lines of all replies.
    std::vector<std::string> talk(std::string_view input, std::size_t piece = 65536) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        Fd ours(ends[0]);
        const Fd theirs(ends[1]);
        std::string output;
        std::thread peer([&] {
            std::thread writer([&] {
                for (std::string_view rest = input; !rest.empty();
                     rest.remove_prefix(std::min(piece, rest.size())))
                    if (::send(ours.get(), rest.data(), std::min(piece, rest.size()), MSG_NOSIGNAL) < 0)
                        break;
                ::shutdown(ours.get(), SHUT_WR);
            });
            output = read_to_end(ours.get(), 1 << 24, Deadline::in(std::chrono::seconds(30)));
            writer.join();
        });
        Channel channel(theirs.get(), theirs.get(), settings.timeout);
        policy::Policy policy(files.home());
        Session session(
            channel, client, settings, policy,
            [this] {
                if (opening_trouble != 0) throw_errno("open", "the queue", opening_trouble);
                return std::make_unique<Sink>(*this);
            },
            [this](const Event& event) { log.push_back(event.classic()); });
        if (meet) session.set_meet(meet);
        session.run();
        ::shutdown(theirs.get(), SHUT_RDWR);
        peer.join();
        return lines(output);
    }

    static std::vector<std::string> lines(std::string_view output) {
        std::vector<std::string> result;
        for (const std::string_view line : split(output, '\n')) {
            if (line.empty()) continue;
            EXPECT_TRUE(line.ends_with('\r')) << line;
            result.emplace_back(trim(line));
        }
        return result;
    }

    static std::string message_of(std::string_view recipient, std::string_view data) {
        return "MAIL FROM:<a@b.example>\r\nRCPT TO:<" + std::string(recipient) + ">\r\nDATA\r\n" +
               std::string(data);
    }

    TestHome files;
    policy::Client client;
    Settings settings;
    queue::SubmitAnswer answer{queue::SubmitCode::accepted, 42, ""};
    std::vector<Message> messages;
    std::vector<std::string> log;
    int sinks_opened = 0;
    int opening_trouble = 0;
    Session::Meet meet{};
};

TEST_F(SessionTest, OneMessage) {
    const auto replies = talk("HELO client.example\r\n" +
                              message_of("joe@mail.test", "Subject: x\r\n\r\n..hi\r\n.\r\nQUIT\r\n"));
    EXPECT_THAT(replies,
                ElementsAre("220 mail.test ESMTP", "250 mail.test", "250 ok", "250 ok", "354 go ahead",
                            testing::MatchesRegex("250 ok [0-9]+ qp 42"), "221 mail.test"));
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(
        messages[0].text,
        StartsWith("Received: from unknown (HELO client.example) (192.0.2.7)\n  by mx.test with SMTP; "));
    EXPECT_THAT(messages[0].text, EndsWith(" -0000\nSubject: x\n\n.hi\n"));
    EXPECT_EQ(messages[0].sender, "a@b.example");
    EXPECT_THAT(messages[0].recipients, ElementsAre("joe@mail.test"));
    EXPECT_THAT(
        log,
        ElementsAre("accept msg 42 from 192.0.2.7 helo client.example login - tls - sender <a@b.example> "
                    "rcpt <joe@mail.test> bytes 16"));
}

TEST_F(SessionTest, TheSenderOfADoubleBounceIsTheNullSender) {
    talk("HELO x\r\nMAIL FROM:<#@[]>\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\n\r\n.\r\n");
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].sender, "");
}

TEST_F(SessionTest, EhloOffersWhatWeDo) {
    settings.databytes = 10000000;
    EXPECT_THAT(talk("EHLO x\r\n"), ElementsAre("220 mail.test ESMTP", "250-mail.test", "250-PIPELINING",
                                                "250-8BITMIME", "250-HELP", "250 SIZE 10000000"));
}

TEST_F(SessionTest, EnhancedStatusCodesFollowEhlo) {
    settings.enhanced_codes = true;
    const std::string commands =
        "MAIL FROM:<a@b.example>\r\nRCPT TO:<joe@foreign.example>\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\n"
        "\r\n.\r\nRSET\r\nNOOP\r\nVRFY joe\r\nFOO\r\nRCPT TO:<joe@mail.test>\r\nQUIT\r\n";
    EXPECT_THAT(
        talk("EHLO x\r\n" + commands),
        ElementsAre("220 mail.test ESMTP", "250-mail.test", "250-PIPELINING", "250-8BITMIME",
                    "250-ENHANCEDSTATUSCODES", "250-HELP", "250 SIZE 0", "250 2.1.0 ok",
                    "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
                    "250 2.1.5 ok", "354 go ahead", testing::MatchesRegex("250 2.0.0 ok [0-9]+ qp 42"),
                    "250 2.0.0 flushed", "250 2.0.0 ok", "252 2.0.0 send some mail, i'll try my best",
                    "500 5.5.1 unimplemented (#5.5.1)", "503 5.5.1 MAIL first (#5.5.1)",
                    "221 2.0.0 mail.test"));
    EXPECT_THAT(log[0], HasSubstr("reason 553 sorry, that domain isn't"));
    EXPECT_THAT(
        talk("HELO x\r\nNOOP\r\nEHLO x\r\nNOOP\r\nHELO x\r\nNOOP\r\nEHLO\r\n"),
        ElementsAre("220 mail.test ESMTP", "250 mail.test", "250 ok", "250-mail.test", "250-PIPELINING",
                    "250-8BITMIME", "250-ENHANCEDSTATUSCODES", "250-HELP", "250 SIZE 0", "250 2.0.0 ok",
                    "250 mail.test", "250 ok", "501 EHLO takes the name of the client (#5.5.4)"));
}

TEST_F(SessionTest, LimitsAreSaid) {
    settings.limits = true;
    settings.recipient_limit = 100;
    EXPECT_THAT(talk("EHLO x\r\n"), testing::Contains("250-LIMITS RCPTMAX=100"));
}

TEST_F(SessionTest, OctetByOctet) {
    talk("EHLO x\r\n" + message_of("joe@mail.test", "a\r\n.b\r\n.\r\nQUIT\r\n"), 1);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(messages[0].text, HasSubstr("with ESMTP"));
    EXPECT_THAT(messages[0].text, EndsWith("\na\nb\n"));
}

TEST_F(SessionTest, OrderOfCommands) {
    EXPECT_THAT(
        talk("RCPT TO:<joe@mail.test>\r\nDATA\r\nMAIL FROM:<>\r\nDATA\r\nRCPT TO:<joe@mail.test>\r\nRSET\r\n"
             "DATA\r\nMAIL FROM:<>\r\nRCPT TO:<joe@mail.test>\r\nMAIL FROM:<>\r\nDATA\r\nEHLO x\r\nDATA\r\n"),
        ElementsAre("220 mail.test ESMTP", "503 MAIL first (#5.5.1)", "503 MAIL first (#5.5.1)", "250 ok",
                    "503 RCPT first (#5.5.1)", "250 ok", "250 flushed", "503 MAIL first (#5.5.1)", "250 ok",
                    "250 ok", "250 ok", "503 RCPT first (#5.5.1)", "250-mail.test", "250-PIPELINING",
                    "250-8BITMIME", "250-HELP", "250 SIZE 0", "503 MAIL first (#5.5.1)"));
}

TEST_F(SessionTest, OtherCommands) {
    EXPECT_THAT(
        talk("noop\r\nVRFY joe\r\nHELP\r\nEXPN x\r\nSTARTTLS\r\nAUTH PLAIN\r\n\r\nFOO\r\nquit\r\nNOOP\r\n"),
        ElementsAre("220 mail.test ESMTP", "250 ok", "252 send some mail, i'll try my best",
                    StartsWith("214 "), "502 unimplemented (#5.5.1)", "502 unimplemented (#5.5.1)",
                    "502 unimplemented (#5.5.1)", "500 unimplemented (#5.5.1)", "500 unimplemented (#5.5.1)",
                    "221 mail.test"));
}

TEST_F(SessionTest, ParametersOfMail) {
    settings.databytes = 1000;
    EXPECT_THAT(
        talk("MAIL FROM:<a@b.example> SIZE=1001\r\nMAIL FROM:<a@b.example> size=1000 BODY=8BITMIME\r\n"
             "MAIL FROM:<a@b.example> BODY=7BIT\r\nMAIL FROM:<a@b.example> SIZE=x\r\nMAIL FROM:<a@b.example> "
             "FOO=1\r\n"
             "MAIL FROM:<a@b.example> AUTH=<>\r\nRCPT TO:<joe@mail.test>\r\n"
             "MAIL FROM:<>\r\nRCPT TO:<joe@mail.test> NOTIFY=NEVER\r\n"
             "MAIL FROM:<a@b.example> SIZE=99999999999999999999\r\n"),
        ElementsAre("220 mail.test ESMTP", StartsWith("552 "), "250 ok", "250 ok", StartsWith("501 "),
                    StartsWith("555 "), StartsWith("555 "), "503 MAIL first (#5.5.1)", "250 ok",
                    StartsWith("555 "), StartsWith("552 ")));
}

TEST_F(SessionTest, SyntaxErrorsInAddresses) {
    EXPECT_THAT(
        talk("MAIL FROM:<a b@c>\r\nMAIL a@b\r\nMAIL FROM:\r\nMAIL FROM:<>\r\nRCPT TO:<>\r\nRCPT joe\r\n"),
        ElementsAre("220 mail.test ESMTP", "555 syntax error (#5.5.4)", "555 syntax error (#5.5.4)",
                    "555 syntax error (#5.5.4)", "250 ok", "555 syntax error (#5.5.4)",
                    "555 syntax error (#5.5.4)"));
}

TEST_F(SessionTest, ForeignDomainIsRefusedAndLogged) {
    const auto replies = talk("HELO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<joe@foreign.example>\r\n");
    EXPECT_EQ(replies.back(), "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)");
    EXPECT_THAT(
        log,
        ElementsAre(
            "refuse from 192.0.2.7 helo x sender <a@b.example> rcpt <joe@foreign.example> reason 553 "
            "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1): no rule, no open-smtp entry, "
            "not authenticated"));
}

TEST_F(SessionTest, RelayclientIsAppended) {
    client.relayclient = ".gateway";
    talk(message_of("joe@foreign.example", "x\r\n.\r\n"));
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(messages[0].recipients, ElementsAre("joe@foreign.example.gateway"));
}

TEST_F(SessionTest, TheEnvelopeSaysHowTheMessageCame) {
    using Kind = mail::Submitter::Kind;
    const auto submitter = [&] {
        talk("EHLO x\r\n" + message_of("bob@mail.test", "\r\n.\r\n"));
        return messages.back().options.submitter;
    };
    EXPECT_EQ(submitter(), mail::Submitter{});
    client.relayclient = "";
    client.may_use = {"@customer.test"};
    EXPECT_EQ(submitter(), (mail::Submitter{Kind::rule, "192.0.2.7", {"@customer.test"}}));
    client.certificate = "CN=relay";
    EXPECT_EQ(submitter(), (mail::Submitter{Kind::certificate, "CN=relay", {"@customer.test"}}));
    client.user = "anna@mail.test";
    EXPECT_EQ(submitter(), (mail::Submitter{Kind::login, "anna@mail.test", {"@mail.test"}}));
    files.control("senderlogins", "enforce\nanna@mail.test a@b.example\n");
    EXPECT_EQ(submitter(),
              (mail::Submitter{Kind::login, "anna@mail.test", {"anna@mail.test", "a@b.example"}}));
}

TEST_F(SessionTest, DsnIsForOurUsersAndThoseListed) {
    const std::string input =
        "EHLO x\r\nMAIL FROM:<a@b.example> RET=HDRS ENVID=QQ1\r\n"
        "RCPT TO:<bob@mail.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@old.test\r\nDATA\r\n\r\n.\r\n";
    EXPECT_THAT(talk(input), testing::Not(testing::Contains("250-DSN"))) << "without the file nobody may";
    EXPECT_TRUE(messages.empty());
    settings.dsn_from.emplace(std::vector<std::string>{"192.0.2.0/24"});
    EXPECT_THAT(talk(input), testing::Contains("250-DSN"));
    ASSERT_EQ(messages.size(), 1u);
    EXPECT_EQ(messages[0].options.ret, mail::Ret::headers);
    EXPECT_EQ(messages[0].options.envid, "QQ1");
    ASSERT_EQ(messages[0].of_recipients.size(), 1u);
    EXPECT_TRUE(messages[0].of_recipients[0].notify.success && messages[0].of_recipients[0].notify.delay);
    EXPECT_EQ(messages[0].of_recipients[0].orcpt, "rfc822;bob@old.test");
    client.ip = "198.51.100.1";
    EXPECT_THAT(talk(input), testing::Contains("555 unknown parameter (#5.5.4)"));
    client.relayclient = "";
    EXPECT_THAT(talk(input), testing::Contains("250-DSN"));
    EXPECT_EQ(messages.size(), 2u);
    EXPECT_THAT(talk("EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@mail.test> NOTIFY=NEVER,DELAY\r\n"),
                testing::Contains("501 syntax error in parameters (#5.5.4)"));
}

TEST_F(SessionTest, BadSenderMayWriteToPostmaster) {
    files.control("badmailfrom", "@b.example\n");
    const auto replies = talk(
        "MAIL FROM:<a@b.example>\r\nRCPT TO:<joe@mail.test>\r\nRCPT TO:<postmaster>\r\n"
        "RCPT TO:<Postmaster@mail.test>\r\nRCPT TO:<postmaster@foreign.example>\r\n");
    EXPECT_THAT(replies, ElementsAre("220 mail.test ESMTP", "250 ok",
                                     "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)",
                                     "250 ok", "250 ok", StartsWith("553 ")));
}

TEST_F(SessionTest, BareLineEndsAreRefusedWhole) {
    for (const std::string_view variant : {"\n.\n", "\r.\r\n", "\n.\r\n", "\r\n.\n", "\r\n.\r\r\n"}) {
        messages.clear();
        const auto replies = talk(message_of("joe@mail.test", "x" + std::string(variant)) +
                                  message_of("victim@mail.test", "smuggled\r\n.\r\nNOOP\r\n"));
        EXPECT_TRUE(messages.empty()) << testing::PrintToString(variant);
        ASSERT_EQ(replies.size(), 6U) << testing::PrintToString(variant);
        EXPECT_THAT(replies[4], StartsWith("554 bare LF or CR"));
    }
}

class FrontEnd : public SessionTest {
  protected:
    FrontEnd() {
        settings.front_ends = opensmtp::NetworkSet({"192.0.2.7", "192.0.2.8"});
        settings.login_front_ends = opensmtp::NetworkSet({"192.0.2.7"});
        client.relayclient = "";  // a webmail: not what its clients get
        client.local_ip = "198.51.100.25";
        meet = [this](const Session::Acquaintance& whom) -> std::optional<policy::Client> {
            met.push_back(whom);
            if (whom.ip == "203.0.113.66") return std::nullopt;
            policy::Client result;
            result.ip = whom.ip.value_or("unknown");
            result.host = whom.host;
            result.local_ip = result.local_name = whom.local_ip.value_or("unknown");
            if (whom.ip == "203.0.113.9") result.relayclient = "";
            return result;
        };
    }
    std::vector<Session::Acquaintance> met;
};

TEST_F(FrontEnd, IsOfferedToThoseListed) {
    EXPECT_THAT(
        talk("EHLO x\r\n"),
        testing::IsSupersetOf({"250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT REVERSE_NAME",
                               "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"}));
    client.ip = "192.0.2.8";
    EXPECT_THAT(talk("EHLO x\r\nXCLIENT LOGIN=anna@mail.test\r\n"),
                testing::IsSupersetOf({"250-XCLIENT NAME ADDR PORT PROTO HELO DESTADDR DESTPORT REVERSE_NAME",
                                       "550 this front end may not name logins (#5.7.0)"}));
    client.ip = "192.0.2.9";
    EXPECT_THAT(
        talk("EHLO x\r\nXCLIENT ADDR=203.0.113.9\r\nXFORWARD ADDR=203.0.113.9\r\n"),
        ElementsAre("220 mail.test ESMTP", "250-mail.test", "250-PIPELINING", "250-8BITMIME", "250-HELP",
                    "250 SIZE 0", "500 unimplemented (#5.5.1)", "500 unimplemented (#5.5.1)"));
    EXPECT_TRUE(met.empty());
}

TEST_F(FrontEnd, TheClientItNamesHasTheRightsOfItsAddress) {
    const std::string foreign = "MAIL FROM:<a@b.example>\r\nRCPT TO:<joe@foreign.example>\r\n";
    auto replies = talk("XCLIENT ADDR=203.0.113.5 NAME=mx.example DESTADDR=198.51.100.1\r\nEHLO x\r\n" +
                        foreign + "RSET\r\n" + message_of("joe@mail.test", "a\r\n.\r\n"));
    EXPECT_EQ(replies[1], "220 mail.test ESMTP");
    EXPECT_THAT(replies, testing::Contains(StartsWith("553 ")));
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(messages[0].text,
                StartsWith("Received: from mx.example (HELO x) (203.0.113.5)\n  by 198.51.100.1 "));
    EXPECT_THAT(log.back(), StartsWith("accept msg 42 from 203.0.113.5 helo x login - "));
    replies = talk("XCLIENT ADDR=203.0.113.9\r\n" + foreign);
    EXPECT_EQ(replies.back(), "250 ok");
    replies = talk("XCLIENT ADDR=[UNAVAILABLE]\r\n" + foreign);
    EXPECT_THAT(replies.back(), StartsWith("553 "));
    EXPECT_THAT(log.back(), StartsWith("refuse from unknown "));
    EXPECT_EQ(talk("XCLIENT ADDR=203.0.113.66\r\n" + foreign).back(),
              "554 no SMTP service for your address (#5.7.1)");
    // It may name another one later, by its own right.
    EXPECT_EQ(talk("XCLIENT ADDR=203.0.113.5\r\nXCLIENT ADDR=203.0.113.9\r\n" + foreign).back(), "250 ok");
}

TEST_F(FrontEnd, ALoginItNamesIsALogin) {
    client.submission = true;
    const std::string foreign = "MAIL FROM:<a@b.example>\r\nRCPT TO:<joe@foreign.example>\r\n";
    EXPECT_THAT(
        talk("XCLIENT ADDR=203.0.113.5 LOGIN=Anna@mail.test\r\nEHLO x\r\n" + foreign + "DATA\r\n.\r\n")
            .back(),
        StartsWith("250 ok "));
    EXPECT_THAT(log.back(), HasSubstr("from 203.0.113.5 helo x login anna@mail.test "));
    EXPECT_THAT(messages.at(0).text, HasSubstr("with ESMTPA;"));
    // The next client is another one.
    EXPECT_THAT(
        talk("XCLIENT LOGIN=anna@mail.test\r\nXCLIENT LOGIN=[UNAVAILABLE] ADDR=203.0.113.5\r\n" + foreign)
            .back(),
        StartsWith("553 "));
    EXPECT_EQ(talk("XCLIENT LOGIN=anna\r\n").back(), "501 LOGIN takes user@domain (#5.5.4)");
}

TEST_F(FrontEnd, ALoginItNamesHasOneSpelling) {
    for (const char* login : {"Anna@Mail.Test.", "anna%mail.test", "ANNA@mail.test"}) {
        talk("XCLIENT LOGIN=" + std::string(login) + "\r\nEHLO x\r\n" +
             message_of("joe@mail.test", "a\r\n.\r\n"));
        EXPECT_THAT(log.back(), HasSubstr(" login anna@mail.test ")) << login;
    }
    for (const char* login : {"anna@", "@mail.test", "a:b@mail.test", "a@b@mail.test"})
        EXPECT_EQ(talk("XCLIENT LOGIN=" + std::string(login) + "\r\n").back(),
                  "501 LOGIN takes user@domain (#5.5.4)")
            << login;
}

TEST_F(FrontEnd, TheSessionStartsAnew) {
    settings.enhanced_codes = true;
    const auto replies = talk(
        "EHLO x\r\nMAIL FROM:<a@b.example>\r\nXCLIENT ADDR=203.0.113.5\r\nRSET\r\n"
        "XCLIENT ADDR=203.0.113.5 HELO=client.example PROTO=SMTP\r\nNOOP\r\nRCPT TO:<joe@mail.test>\r\n" +
        message_of("joe@mail.test", "a\r\n.\r\n"));
    EXPECT_THAT(replies, testing::IsSupersetOf({"503 5.5.1 not within a transaction (#5.5.1)",
                                                "250 2.0.0 flushed", "250 ok", "503 MAIL first (#5.5.1)"}));
    EXPECT_THAT(messages.at(0).text,
                HasSubstr("from unknown (HELO client.example) (203.0.113.5)\n  by 198.51.100.25 with SMTP;"));
    for (const char* wrong : {"", "ADDR", "ADDR=203.0.113.256", "ADDR=2001:db8::1", "DESTADDR=x", "FOO=x",
                              "ADDR=1.2.3.4 ADDR=1.2.3.4", "HELO=a+0D+0Ab"})
        EXPECT_EQ(talk("XCLIENT " + std::string(wrong) + "\r\n").back(),
                  "501 syntax error in attributes (#5.5.4)")
            << wrong;
}

TEST_F(FrontEnd, XforwardSaysFromWhomAMessageOnceCame) {
    const auto replies = talk(
        "EHLO x\r\nXFORWARD NAME=mx.example ADDR=203.0.113.5 PORT=[UNAVAILABLE]\r\nXFORWARD HELO=a+2Bb "
        "SOURCE=REMOTE\r\n" +
        message_of("joe@mail.test", "a\r\n.\r\n") +
        message_of("joe@mail.test", "XFORWARD ADDR=1.2.3.4\r\n.\r\n") + "XFORWARD IDENT=1\r\nRSET\r\n" +
        message_of("joe@mail.test", "b\r\n.\r\n") +
        "MAIL FROM:<>\r\nXFORWARD ADDR=203.0.113.5\r\nXFORWARD LOGIN=x\r\n");
    EXPECT_THAT(replies, testing::Contains("503 not within a transaction (#5.5.1)").Times(2));
    EXPECT_EQ(messages.size(), 3U);
    EXPECT_THAT(messages[0].text, HasSubstr("(192.0.2.7)"));
    EXPECT_THAT(log, testing::Contains(StartsWith("forwarded ")).Times(1));
    EXPECT_THAT(
        log, testing::Contains(
                 "forwarded msg 42 from 192.0.2.7 name mx.example addr 203.0.113.5 port - proto - helo a+b "
                 "ident - source REMOTE"));
}

class Chunking : public SessionTest {
  protected:
    Chunking() { settings.chunking = true; }
    static std::string bdat(std::string_view octets, bool last = false) {
        return "BDAT " + std::to_string(octets.size()) + (last ? " LAST" : "") + "\r\n" + std::string(octets);
    }
    static std::string envelope(std::string_view recipient = "joe@mail.test") {
        return "MAIL FROM:<a@b.example>\r\nRCPT TO:<" + std::string(recipient) + ">\r\n";
    }
    // The replies behind those to EHLO.
    std::vector<std::string> replies(std::string_view input, std::size_t piece = 65536) {
        auto all = talk("EHLO x\r\n" + std::string(input), piece);
        EXPECT_THAT(all, testing::Contains("250-CHUNKING"));
        all.erase(all.begin(), std::find_if(all.begin(), all.end(), [](const std::string& line) {
                                   return line.starts_with("250 SIZE ");
                               }) + 1);
        return all;
    }
};

TEST_F(Chunking, TakesAMessageInChunks) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{65536}}) {
        messages.clear();
        EXPECT_THAT(replies(envelope() + bdat("Subject: x\r") + bdat("\n\r\n.\r\n..") + bdat("a\r\n", true) +
                                "NOOP\r\n",
                            piece),
                    ElementsAre("250 ok", "250 ok", "250 ok", "250 ok",
                                testing::MatchesRegex("250 ok [0-9]+ qp 42"), "250 ok"));
        ASSERT_EQ(messages.size(), 1U);
        EXPECT_THAT(messages[0].text, HasSubstr("with ESMTP; "));
        EXPECT_THAT(messages[0].text, EndsWith(" -0000\nSubject: x\n\n.\n..a\n"));
        EXPECT_THAT(log.back(), EndsWith("rcpt <joe@mail.test> bytes 18"));
    }
}

TEST_F(Chunking, TheLastChunkMayBeEmpty) {
    EXPECT_THAT(replies(envelope() + bdat("a\r\n") + bdat("", true) + envelope() + bdat("b", true)),
                ElementsAre("250 ok", "250 ok", "250 ok", StartsWith("250 ok "), "250 ok", "250 ok",
                            StartsWith("250 ok ")));
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_THAT(messages[1].text, EndsWith("\nb\n")) << "the last line gets its end";
}

TEST_F(Chunking, OctetsAreCommandsOnlyWhereTheCountSaysSo) {
    const std::string smuggled = "a\r\n.\r\nRSET\r\n" + envelope("victim@mail.test") + bdat("x\r\n", true);
    EXPECT_THAT(replies(envelope() + bdat(smuggled, true) + "QUIT\r\n"),
                ElementsAre("250 ok", "250 ok", StartsWith("250 ok "), StartsWith("221 ")));
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(messages[0].text, HasSubstr("\n.\nRSET\nMAIL FROM:"));
    // Nor where the transaction has failed.
    EXPECT_THAT(replies(bdat(smuggled) + envelope("joe@foreign.example") + bdat(smuggled) +
                        bdat(smuggled, true) + "RSET\r\n" + bdat(smuggled, true) + "QUIT\r\n"),
                ElementsAre(mail_first, "250 ok", StartsWith("553 "), StartsWith("503 RCPT first"),
                            StartsWith("503 RCPT first"), "250 flushed", mail_first, StartsWith("221 ")));
    EXPECT_EQ(messages.size(), 1U);
}

TEST_F(Chunking, WithoutACountTheConnectionEnds) {
    for (const std::string_view line : {"BDAT\r\n", "BDAT x\r\n", "BDAT 5 FIRST\r\n", "BDAT -1\r\n",
                                        "BDAT 2000000000000\r\n", "BDAT 99999999999999999999\r\n"})
        EXPECT_THAT(replies(envelope() + std::string(line) + "RSET\r\n"),
                    ElementsAre("250 ok", "250 ok", StartsWith("501 BDAT takes")))
            << line;
    EXPECT_THAT(replies(envelope() + "BDAT 6\nRSET\r\n"),
                ElementsAre("250 ok", "250 ok", StartsWith("500 lines must end")));
    EXPECT_THAT(replies(envelope() + "BDAT 6\r\r\nRSET\r\n"),
                ElementsAre("250 ok", "250 ok", StartsWith("500 NUL and bare")));
    EXPECT_TRUE(messages.empty());
}

TEST_F(Chunking, BareLineEndsAreRefusedAsInData) {
    for (const std::string_view text : {"a\nb\r\n", "a\rb\r\n", "a\r\r\n", "\n.\r\n", "\r\n.\n"}) {
        EXPECT_THAT(replies(envelope() + bdat(text) + bdat("more\r\n") + bdat("", true) + "NOOP\r\n"),
                    ElementsAre("250 ok", "250 ok", StartsWith("554 bare LF or CR"), mail_first, mail_first,
                                "250 ok"))
            << testing::PrintToString(text);
        EXPECT_THAT(replies(envelope() + bdat(text, true)).back(), StartsWith("554 bare LF or CR"));
    }
    // Only the end tells that an LF is missing.
    EXPECT_THAT(replies(envelope() + bdat("a\r") + bdat("", true)),
                ElementsAre("250 ok", "250 ok", "250 ok", StartsWith("554 bare LF or CR")));
    EXPECT_TRUE(messages.empty());
    client.fixcrio = true;
    EXPECT_THAT(replies(envelope() + bdat("a\nb", true)).back(), StartsWith("250 ok "));
    EXPECT_THAT(messages.at(0).text, EndsWith("\na\nb\n"));
}

TEST_F(Chunking, LimitsAreThoseOfData) {
    settings.databytes = 100;
    EXPECT_THAT(
        replies(envelope() + bdat(std::string(60, 'x')) + bdat(std::string(39, 'x') + "\r\n", true)).back(),
        StartsWith("250 ok "));
    EXPECT_THAT(
        replies(envelope() + bdat(std::string(60, 'x')) + bdat(std::string(41, 'x')) + bdat("", true)),
        ElementsAre("250 ok", "250 ok", "250 ok", mail::smtp_reply(mail::too_big), mail_first));
    client.refuse_nul = true;
    EXPECT_THAT(replies(envelope() + bdat(std::string("a\0b\r\n", 5), true)).back(), StartsWith("554 NUL"));
    settings.databytes = 0;
    std::string header;
    for (int i = 0; i < 100; ++i) header += "Received: x\r\n";
    EXPECT_THAT(replies(envelope() + bdat(header, true)).back(), StartsWith("554 too many hops"));
    EXPECT_EQ(messages.size(), 1U);
    answer = {queue::SubmitCode::write_error, 0, ""};
    EXPECT_EQ(replies(envelope() + bdat("a\r\n", true)).back(), "451 qq write error or disk full (#4.3.0)");
}

TEST_F(Chunking, AMessageThatHasBegunIsEndedOrReset) {
    EXPECT_THAT(replies(envelope() + bdat("a\r\n") + envelope() + "DATA\r\nNOOP\r\n" + bdat("b\r\n", true)),
                ElementsAre("250 ok", "250 ok", "250 ok", message_has_begun, message_has_begun,
                            message_has_begun, "250 ok", StartsWith("250 ok ")));
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(messages[0].text, EndsWith("\na\nb\n"));
    EXPECT_THAT(replies(envelope() + bdat("a\r\n") + "RSET\r\n" + bdat("b\r\n", true) + envelope() +
                        "DATA\r\nc\r\n.\r\n" + envelope() + bdat("d\r\n")),
                ElementsAre("250 ok", "250 ok", "250 ok", "250 flushed", mail_first, "250 ok", "250 ok",
                            "354 go ahead", StartsWith("250 ok "), "250 ok", "250 ok", "250 ok"));
    ASSERT_EQ(messages.size(), 2U) << "what has no end was never sent";
    EXPECT_THAT(messages[1].text, EndsWith("\nc\n"));
}

TEST_F(Chunking, IsForWhoWasToldOfIt) {
    EXPECT_THAT(talk("HELO x\r\n" + envelope() + bdat("NOOP\r\n", true) + "DATA\r\n.\r\n"),
                ElementsAre("220 mail.test ESMTP", "250 mail.test", "250 ok", "250 ok",
                            "503 EHLO first (#5.5.1)", "354 go ahead", StartsWith("250 ok ")));
    settings.chunking = false;
    EXPECT_THAT(talk("EHLO x\r\n" + envelope() + "BDAT 6\r\nNOOP\r\n").back(), "250 ok");
}

TEST_F(Chunking, LostConnectionSendsNothing) {
    const std::string whole = "EHLO x\r\n" + envelope() + bdat("Subject: x\r\n\r\n") + bdat("text\r\n", true);
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        talk(std::string_view(whole).substr(0, cut));
        EXPECT_TRUE(messages.empty()) << cut;
    }
}

TEST_F(SessionTest, FixcrioNormalises) {
    client.fixcrio = true;
    talk("HELO x\nMAIL FROM:<a@b.example>\nRCPT TO:<joe@mail.test>\nDATA\nline\n..dot\n.\nQUIT\n");
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(messages[0].text, EndsWith("\nline\n.dot\n"));
}

TEST_F(SessionTest, BareLineFeedIsNoCommand) {
    EXPECT_THAT(talk("NOOP\nNOOP\r\n"), ElementsAre("220 mail.test ESMTP", StartsWith("500 "), "250 ok"));
}

TEST_F(SessionTest, NulPassesUnlessRefused) {
    const std::string data("a\0b\r\n.\r\n", 8);
    talk(message_of("joe@mail.test", data));
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(messages[0].text, EndsWith(std::string("\na\0b\n", 5)));
    client.refuse_nul = true;
    EXPECT_THAT(talk(message_of("joe@mail.test", data)).back(), StartsWith("554 NUL"));
    EXPECT_EQ(messages.size(), 1U);
}

TEST_F(SessionTest, NulInCommandsIsRefused) {
    EXPECT_THAT(talk(std::string("MAIL FROM:<a\0@b>\r\n", 18)).back(), StartsWith("500 "));
}

TEST_F(SessionTest, HopLimit) {
    std::string header;
    for (int i = 0; i < 99; ++i) header += i % 2 == 0 ? "Received: x\r\n" : "Delivered-To: x\r\n";
    talk(message_of("joe@mail.test", header + "\r\nReceived: body\r\n.\r\n"));
    EXPECT_EQ(messages.size(), 1U);
    const auto replies = talk(message_of("joe@mail.test", header + "Received: y\r\n\r\n.\r\n"));
    EXPECT_EQ(replies.back(), "554 too many hops, this message is looping (#5.4.6)");
    EXPECT_EQ(messages.size(), 1U);
}

TEST_F(SessionTest, SizeLimitIsExactAndReadsToTheEnd) {
    settings.databytes = 100;
    EXPECT_THAT(talk(message_of("joe@mail.test", std::string(99, 'x') + "\r\n.\r\n")).back(),
                StartsWith("250 ok"));
    const auto replies = talk(message_of("joe@mail.test", std::string(100, 'x') + "\r\n.\r\nNOOP\r\n"));
    EXPECT_EQ(replies[replies.size() - 2],
              "552 sorry, that message size exceeds my databytes limit (#5.3.4)");
    EXPECT_EQ(replies.back(), "250 ok");
    client.databytes = 0;
    EXPECT_THAT(talk(message_of("joe@mail.test", std::string(300000, 'x') + "\r\n.\r\n")).back(),
                StartsWith("250 ok"));
}

TEST_F(SessionTest, QueueTroubleIsToldTruly) {
    answer = {queue::SubmitCode::write_error, 0, ""};
    EXPECT_EQ(talk(message_of("joe@mail.test", ".\r\n")).back(), "451 qq write error or disk full (#4.3.0)");
    answer = {queue::SubmitCode::refused, 0, ""};
    EXPECT_THAT(talk(message_of("joe@mail.test", ".\r\n")).back(), StartsWith("554 "));
    answer = {queue::SubmitCode::custom, 0, "Dno\r\n250 spam"};
    EXPECT_THAT(talk(message_of("joe@mail.test", ".\r\n")).back(), StartsWith("554 no"));
    EXPECT_THAT(log.back(), HasSubstr("rcpt - reason 554 no"));
}

TEST_F(SessionTest, RecipientLimit) {
    settings.recipient_limit = 3;
    std::string input = "MAIL FROM:<>\r\n";
    for (int i = 0; i < 5; ++i) input += "RCPT TO:<joe@mail.test>\r\n";
    EXPECT_THAT(talk(input + "DATA\r\n.\r\n"),
                ElementsAre("220 mail.test ESMTP", "250 ok", "250 ok", "250 ok", "250 ok", StartsWith("452 "),
                            StartsWith("452 "), "354 go ahead", StartsWith("250 ok ")));
    EXPECT_EQ(messages.at(0).recipients.size(), 3U);
}

TEST_F(SessionTest, TenThousandRecipients) {
    std::string input = "MAIL FROM:<>\r\n";
    for (int i = 0; i < 10000; ++i) input += "RCPT TO:<u" + std::to_string(i) + "@mail.test>\r\n";
    const auto replies = talk(input + "DATA\r\n.\r\n");
    EXPECT_EQ(replies.size(), 10004U);
    EXPECT_EQ(messages.at(0).recipients.size(), 1000U);
    // The last line counts the refusals.
    const std::string& accepted = log.at(log.size() - 2);
    EXPECT_LT(accepted.size(), 1000U);
    EXPECT_THAT(accepted, HasSubstr(",+980 bytes 0"));
}

TEST_F(SessionTest, BadCommandsEndTheSession) {
    std::string input;
    for (int i = 0; i < 30; ++i) input += "WHAT / HTTP?\r\n";
    const auto replies = talk(input);
    EXPECT_EQ(replies.size(), 22U);
    EXPECT_THAT(replies.back(), StartsWith("421 "));
}

TEST_F(SessionTest, LineLimits) {
    EXPECT_THAT(talk("NOOP " + std::string(3000, 'x') + "\r\nNOOP\r\nAUTH PLAIN " + std::string(12000, 'x') +
                     "\r\nAUTH " + std::string(200000, 'x') + "\r\nNOOP\r\n"),
                ElementsAre("220 mail.test ESMTP", "500 line too long (#5.5.2)", "250 ok",
                            "502 unimplemented (#5.5.1)", "500 line too long (#5.5.2)", "250 ok"));
}

TEST_F(SessionTest, EndlessLineIsCutOff) {
    EXPECT_THAT(talk(std::string(4 << 20, 'x')),
                ElementsAre("220 mail.test ESMTP", StartsWith("421 line too long")));
}

TEST_F(SessionTest, LostConnectionSendsNothing) {
    const std::string whole = "EHLO x\r\n" + message_of("joe@mail.test", "Subject: x\r\n\r\ntext\r\n.\r\n");
    for (std::size_t cut = 0; cut < whole.size(); ++cut) {
        talk(std::string_view(whole).substr(0, cut));
        EXPECT_TRUE(messages.empty()) << cut;
    }
}

TEST_F(SessionTest, SlowClientIsTold) {
    settings.timeout = std::chrono::seconds(1);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    const Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    Channel channel(theirs.get(), theirs.get(), settings.timeout);
    policy::Policy policy(files.home());
    Session(
        channel, client, settings, policy, [this] { return std::make_unique<Sink>(*this); },
        [](const Event&) {})
        .run();
    ::shutdown(theirs.get(), SHUT_WR);
    EXPECT_THAT(lines(read_to_end(ours.get(), 1000, Deadline::in(std::chrono::seconds(5)))),
                ElementsAre("220 mail.test ESMTP", "421 timeout (#4.4.2)"));
}

TEST_F(SessionTest, PipelinedGroupIsAnsweredAtOnce) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    Fd ours(ends[0]);
    const Fd theirs(ends[1]);
    const std::string group = "MAIL FROM:<>\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\n";
    ASSERT_GT(::send(ours.get(), group.data(), group.size(), 0), 0);
    ASSERT_GT(::send(ours.get(), ".\r\nQUIT\r\n", 9, 0), 0);
    Channel channel(theirs.get(), theirs.get(), settings.timeout);
    policy::Policy policy(files.home());
    Session(
        channel, client, settings, policy, [this] { return std::make_unique<Sink>(*this); },
        [](const Event&) {})
        .run();
    std::vector<std::string> writes;
    char buffer[4096];
    for (ssize_t n = ::recv(ours.get(), buffer, sizeof buffer, MSG_DONTWAIT); n > 0;
         n = ::recv(ours.get(), buffer, sizeof buffer, MSG_DONTWAIT))
        writes.emplace_back(buffer, static_cast<std::size_t>(n));
    EXPECT_THAT(writes, ElementsAre("220 mail.test ESMTP\r\n", "250 ok\r\n250 ok\r\n354 go ahead\r\n",
                                    EndsWith("221 mail.test\r\n")));
}

TEST_F(SessionTest, UnreadableControlFileIsTemporary) {
    files.control("rcpthosts", "");
    std::filesystem::remove(files.home().control_file("rcpthosts"));
    std::filesystem::create_directory(files.home().control_file("rcpthosts"));
    EXPECT_EQ(talk("MAIL FROM:<>\r\nRCPT TO:<joe@mail.test>\r\n").back(),
              "421 unable to read controls (#4.3.0)");
    EXPECT_THAT(log.back(), HasSubstr("reason 421 unable to read controls (#4.3.0): unable to read "));
}

TEST_F(SessionTest, TroubleThatIsNotOfTheControlsIsNotCalledSo) {
    opening_trouble = EMFILE;
    EXPECT_EQ(talk(message_of("joe@mail.test", "")).back(),
              "421 trouble on this host, try again later (#4.3.0)");
    EXPECT_THAT(log.back(), HasSubstr("unable to open the queue: Too many open files"));
}

TEST_F(SessionTest, OtherProtocolsAreHungUpOn) {
    const std::string smuggled =
        "\r\nHELO x\r\n" + message_of("joe@mail.test", "Subject: x\r\n\r\n.\r\nQUIT\r\n");
    for (const std::string_view first :
         {"POST / HTTP/1.1", "GET /", "Host: mail.test", "HELO x\r\nPUT /x HTTP/1.1", "POST / HTTP/1.1\n",
          "PROXY TCP4 127.0.0.1 127.0.0.1 1 2", "PROXY UNKNOWN"}) {
        EXPECT_EQ(talk(std::string(first) + smuggled).back(),
                  "421 this is SMTP and no other protocol, closing (#4.7.0)");
        EXPECT_THAT(log.back(), HasSubstr("no other protocol"));
    }
    EXPECT_TRUE(messages.empty());
}

TEST_F(SessionTest, ArgumentsThatAreMissingOrTooMany) {
    EXPECT_THAT(
        talk("HELO\r\nEHLO \r\nMAIL FROM:<>\r\nRCPT TO:<joe@mail.test>\r\nDATA x\r\nRSET x\r\nDATA\r\n.\r\n"),
        ElementsAre("220 mail.test ESMTP", "501 HELO takes the name of the client (#5.5.4)",
                    "501 EHLO takes the name of the client (#5.5.4)", "250 ok", "250 ok",
                    "501 DATA takes no argument (#5.5.4)", "501 RSET takes no argument (#5.5.4)",
                    "354 go ahead", StartsWith("250 ok ")));
}

TEST_F(SessionTest, PathsHaveALimit) {
    const auto domain = [](std::size_t size) { return std::string(size - 10, 'x') + ".mail.test"; };
    files.control("rcpthosts", ".mail.test\n");
    const std::string local(700, 'l');  // no limit that RFC 5321 knows is kept for these
    EXPECT_THAT(talk("MAIL FROM:<a@" + domain(256) + ">\r\nMAIL FROM:<" + local + "@" + domain(255) +
                     ">\r\nRCPT TO:<a@" + domain(256) + ">\r\nRCPT TO:<" + std::string(1000, 'l') +
                     "@mail.test>\r\nRCPT TO:<" + local + "@" + domain(255) + ">\r\n"),
                ElementsAre("220 mail.test ESMTP", "501 path too long (#5.1.0)", "250 ok",
                            "501 path too long (#5.1.0)", "555 syntax error (#5.5.4)", "250 ok"));
}

std::string refused_recipients(int count) {
    std::string input = "MAIL FROM:<a@b.test>\r\n";
    for (int i = 0; i < count; ++i) input += "RCPT TO:<u" + std::to_string(i) + "@other.test>\r\n";
    return input;
}

TEST_F(SessionTest, RefusedRecipientsDoNotFillTheLog) {
    const auto replies = talk("HELO x\r\n" + refused_recipients(40'000) + "QUIT\r\n");
    EXPECT_EQ(replies.size(), 40'004U);
    ASSERT_EQ(log.size(), 21U);
    EXPECT_THAT(log.back(), HasSubstr("reason 39980 more refusals of this session"));
    // Nor do other refusals, or a client that does not wait for the end.
    log.clear();
    std::string input = "HELO x\r\n";
    for (int i = 0; i < 1000; ++i) input += "MAIL FROM:<\r\n";
    talk(input);
    EXPECT_EQ(log.size(), 21U);
}

TEST_F(SessionTest, TooManyRefusedRecipientsEndTheSession) {
    settings.refused_limit = 20;
    auto replies = talk("HELO x\r\n" + refused_recipients(30));
    ASSERT_EQ(replies.size(), 24U);
    EXPECT_EQ(replies.back(), "421 too many refused recipients (#4.7.0)");
    EXPECT_THAT(log.back(), HasSubstr("1 more refusals"));
    // An accepted one between begins anew.
    replies = talk("HELO x\r\n" + refused_recipients(20) + "RCPT TO:<u@mail.test>\r\n" +
                   refused_recipients(20) + "QUIT\r\n");
    EXPECT_THAT(replies.back(), StartsWith("221 "));
}

TEST_F(SessionTest, LoginsAndRelayclientMayBeRefusedAsOftenAsTheyLike) {
    settings.refused_limit = 20;
    settings.refused_pause = std::chrono::seconds(60);
    client.relayclient = "";
    std::string input = "HELO x\r\nMAIL FROM:<a@b.test>\r\n";
    for (int i = 0; i < 100; ++i) input += "RCPT TO:<\r\n";
    EXPECT_THAT(talk(input + "QUIT\r\n").back(), StartsWith("221 "));
    EXPECT_EQ(log.size(), 100U);
}

TEST_F(SessionTest, BeyondTarpitcountThereArePausesForStrangers) {
    settings.tarpit_count = 2;
    settings.tarpit_delay = std::chrono::seconds(1);
    const auto time_of = [&](int recipients) {
        std::string said = "MAIL FROM:<a@b.example>\r\n";
        for (int i = 0; i < recipients; ++i) said += "RCPT TO:<joe@mail.test>\r\n";
        const auto start = std::chrono::steady_clock::now();
        talk(said);
        return std::chrono::steady_clock::now() - start;
    };
    EXPECT_GE(time_of(3), std::chrono::milliseconds(1000));
    client.tarpit_delay = 0;
    client.tarpit_count = 1;
    settings.tarpit_delay = std::chrono::seconds(60);
    EXPECT_LT(time_of(30), std::chrono::seconds(20));
    client.tarpit_delay.reset();
    client.user = "joe@mail.test";
    EXPECT_LT(time_of(30), std::chrono::seconds(20));
}

TEST_F(SessionTest, FromTheFifthRefusedRecipientThereArePauses) {
    settings.refused_pause = std::chrono::seconds(1);
    const auto begin = std::chrono::steady_clock::now();
    talk("HELO x\r\n" + refused_recipients(6) + "QUIT\r\n");
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1990));
}

}  // namespace
}  // namespace relais::smtpd
