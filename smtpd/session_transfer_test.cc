// What may be said of the time and the order in which a message is sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/io.h"
#include "base/text.h"
#include "base/time.h"
#include "mail/transfer.h"
#include "smtpd/session.h"
#include "smtpd/test_home.h"

namespace relais::smtpd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class TransferTest : public testing::Test {
  protected:
    TransferTest() {
        client.ip = "192.0.2.7";
        client.local_name = "mx.test";
        client.relayclient = "";
        settings.me = settings.greeting = "mail.test";
        settings.timeout = std::chrono::seconds(20);
        settings.future_release = std::chrono::hours(1);
        files.control("rcpthosts", "mail.test\n");
    }

    class Sink : public MessageSink {
      public:
        explicit Sink(TransferTest& test) : test_(test) {}
        void begin(const mail::Envelope& envelope) override { test_.options.push_back(envelope.options); }
        void write(std::string_view text) override { test_.text += text; }
        queue::SubmitAnswer finish(const std::string&, const std::vector<std::string>&) override {
            return {queue::SubmitCode::accepted, 42, ""};
        }
        std::uint64_t qp() const override { return 42; }

      private:
        TransferTest& test_;
    };

    std::vector<std::string> talk(const std::string& input) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        Fd ours(ends[0]);
        const Fd theirs(ends[1]);
        std::string output;
        std::thread peer([&] {
            EXPECT_EQ(::send(ours.get(), input.data(), input.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(input.size()));
            ::shutdown(ours.get(), SHUT_WR);
            output = read_to_end(ours.get(), 1 << 20, Deadline::in(std::chrono::seconds(30)));
        });
        Channel channel(theirs.get(), theirs.get(), settings.timeout);
        policy::Policy policy(files.home());
        Session session(
            channel, client, settings, policy, [this] { return std::make_unique<Sink>(*this); },
            [](const Event&) {});
        session.run();
        ::shutdown(theirs.get(), SHUT_RDWR);
        peer.join();
        std::vector<std::string> replies;
        for (const std::string_view line : split(output, '\n'))
            if (!line.empty()) replies.emplace_back(trim(line));
        return replies;
    }
    // The reply to MAIL with these parameters.
    std::string mail(const std::string& parameters) {
        return talk("EHLO x\r\nMAIL FROM:<a@b.example> " + parameters +
                    "\r\nRCPT TO:<joe@mail.test>\r\nDATA\r\n.\r\n")
            .at(hello);
    }
    std::size_t lines_of_hello() { return talk("EHLO x\r\n").size(); }

    TestHome files;
    policy::Client client;
    Settings settings;
    std::vector<mail::EnvelopeOptions> options;
    std::string text;
    std::size_t hello = 0;  // replies before that to MAIL
};

TEST_F(TransferTest, FutureReleaseIsOfferedWithItsLimits) {
    const std::int64_t before = now_seconds();
    const auto replies = talk("EHLO x\r\n");
    EXPECT_THAT(replies, Contains(StartsWith("250-FUTURERELEASE 3600 ")));
    for (const std::string& line : replies) {
        if (!line.starts_with("250-FUTURERELEASE")) continue;
        const auto most = mail::parse_date_3339(line.substr(line.rfind(' ') + 1));
        ASSERT_TRUE(most);
        EXPECT_GE(*most, before + 3600);
        EXPECT_LE(*most, now_seconds() + 3600);
    }
}

TEST_F(TransferTest, FutureReleaseIsForThoseWhoMayRelay) {
    hello = lines_of_hello();
    EXPECT_EQ(mail("HOLDFOR=60"), "250 ok");
    ASSERT_EQ(options.size(), 1U);
    EXPECT_NEAR(static_cast<double>(options[0].release), static_cast<double>(now_seconds() + 60), 20);
    EXPECT_EQ(mail("HOLDUNTIL=" + mail::date_3339(now_seconds() + 1800)), "250 ok");
    EXPECT_EQ(mail("HOLDUNTIL=2001-01-01T00:00:00Z"), "501 the time of HOLDUNTIL has passed (#5.5.4)");
    EXPECT_EQ(mail("HOLDFOR=3700"), "501 that is longer than I keep a message (#5.5.4)");
    EXPECT_EQ(mail("HOLDUNTIL=" + mail::date_3339(now_seconds() + 8000)),
              "501 that is longer than I keep a message (#5.5.4)");
    EXPECT_EQ(mail("HOLDFOR=60 HOLDFOR=60"), "501 syntax error in parameters (#5.5.4)");

    settings.future_release = std::chrono::seconds(0);
    hello = lines_of_hello();
    EXPECT_EQ(mail("HOLDFOR=60"), "555 unknown parameter (#5.5.4)");
    settings.future_release = std::chrono::hours(1);
    client.relayclient.reset();
    EXPECT_THAT(talk("EHLO x\r\n"), Not(Contains(HasSubstr("FUTURERELEASE"))));
    hello = lines_of_hello();
    EXPECT_EQ(mail("HOLDFOR=60"), "555 unknown parameter (#5.5.4)");
}

TEST_F(TransferTest, ByIsTakenWhereItIsOffered) {
    hello = lines_of_hello();
    EXPECT_EQ(mail("BY=60;R"), "555 unknown parameter (#5.5.4)");
    settings.deliver_by = true;
    EXPECT_THAT(talk("EHLO x\r\n"), Contains("250-DELIVERBY"));
    hello = lines_of_hello();
    EXPECT_EQ(mail("BY=60;RT"), "250 ok");
    ASSERT_EQ(options.size(), 1U);
    ASSERT_TRUE(options[0].deliver_by);
    EXPECT_TRUE(options[0].deliver_by->returns && options[0].deliver_by->trace);
    EXPECT_NEAR(static_cast<double>(options[0].deliver_by->when), static_cast<double>(now_seconds() + 60),
                20);
    EXPECT_EQ(mail("BY=-60;N"), "250 ok");
    EXPECT_EQ(mail("BY=0;R"), "501 syntax error in parameters (#5.5.4)");
    EXPECT_EQ(mail("BY=60;R HOLDFOR=3600"), "501 BY ends before the message is sent (#5.5.4)");
    client.relayclient.reset();
    hello = lines_of_hello();
    EXPECT_EQ(mail("BY=60;R"), "555 unknown parameter (#5.5.4)");
}

TEST_F(TransferTest, APriorityIsTakenWhereItIsOffered) {
    hello = lines_of_hello();
    EXPECT_EQ(mail("MT-PRIORITY=3"), "555 unknown parameter (#5.5.4)");
    settings.mt_priority = true;
    EXPECT_THAT(talk("EHLO x\r\n"), Contains("250-MT-PRIORITY"));
    hello = lines_of_hello();
    EXPECT_EQ(mail("MT-PRIORITY=-3"), "250 ok");
    ASSERT_EQ(options.size(), 1U);
    EXPECT_EQ(options[0].priority, -3);
    EXPECT_THAT(text, HasSubstr(" PRIORITY -3; "));
    text.clear();
    EXPECT_EQ(mail(""), "250 ok");
    EXPECT_THAT(text, Not(HasSubstr("PRIORITY")));
    client.relayclient.reset();
    hello = lines_of_hello();
    EXPECT_EQ(mail("MT-PRIORITY=3"), "555 unknown parameter (#5.5.4)");
}

}  // namespace
}  // namespace relais::smtpd
