#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "base/error.h"
#include "base/netstring.h"
#include "qmtp/qmqp_session.h"
#include "qmtp/qmtp_session.h"
#include "qmtp/test_client.h"

namespace relais::qmtp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct Served {
    std::vector<KeptMessage> kept;
    std::vector<std::string> log;
    std::string replies;  // with the time as TIME
    std::optional<Error> error;
    queue::SubmitAnswer answer{queue::SubmitCode::accepted, 7, ""};
    Terms terms;

    policy::Verdict judge(std::string_view sender, std::string_view recipient) const {
        policy::Verdict verdict;
        verdict.recipient = recipient;
        if (recipient.ends_with("@elsewhere")) {
            verdict.cause = policy::Cause::no_right;
            verdict.reply = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)";
            verdict.why = "no rule";
        } else if (sender == "later@x") {
            verdict.cause = policy::Cause::cannot_tell;
            verdict.reply = "451 later (#4.3.0)";
        }
        return verdict;
    }

    template <class Serve>
    void run(std::string_view input, const Serve& serve) {
        const Fd in = file_with(input);
        const Fd out = file_with("");
        policy::Client client;
        client.ip = "192.0.2.1";
        client.local_name = "mail.test";
        Reader reader(in.get());
        try {
            serve(reader, out.get(), client, [this] { return std::make_unique<KeepingSink>(kept, answer); });
        } catch (const Error& thrown) {
            error = thrown;
        }
        ::lseek(out.get(), 0, SEEK_SET);
        replies = std::regex_replace(read_to_end(out.get(), 1 << 20, Deadline::never()),
                                     std::regex("Kok [0-9]{10} "), "Kok TIME ");
    }
    Served& qmtp(std::string_view input) {
        run(input, [this](Reader& in, int out, const policy::Client& client, const OpenSink& open_sink) {
            serve_qmtp(
                in, out, client, terms,
                [this](std::string_view sender, std::string_view recipient) {
                    return judge(sender, recipient);
                },
                open_sink, [this](std::string_view line) { log.emplace_back(line); });
        });
        return *this;
    }
    Served& qmqp(std::string_view input, std::uint64_t databytes = 0) {
        run(input, [databytes](Reader& in, int out, const policy::Client& client, const OpenSink& open_sink) {
            serve_qmqp(in, out, client, databytes, std::chrono::seconds(60), open_sink);
        });
        return *this;
    }
};

std::string list(const std::vector<std::string>& recipients) {
    std::string text;
    for (const std::string& recipient : recipients) text += netstring(recipient);
    return netstring(text);
}

std::string package(const std::string& text, const std::string& sender,
                    const std::vector<std::string>& recipients) {
    return netstring(text) + netstring(sender) + list(recipients);
}

const std::string accepted = "19:Kok TIME qp 7,";
const std::string foreign = "66:Dsorry, that domain isn't in my list of allowed rcpthosts (#5.7.1),";
const std::string impossible = "46:Dsorry, I can't handle that recipient (#5.1.3),";

// The length stands for ten digits of time.
std::string ok(int count) {
    std::string text;
    while (count-- > 0) text += accepted;
    return text;
}

TEST(QmtpSession, MessagesAndTheirAnswers) {
    Served served;
    served.qmtp(package("\nSubject: x\n\nhi\n", "a@b", {"c@d", "e@elsewhere", "f@d"}) +
                package("\rSubject: y\r\n\r\nho\r\n", "", {"g@d"}));
    EXPECT_FALSE(served.error);
    EXPECT_EQ(served.replies, accepted + foreign + accepted + accepted);
    ASSERT_THAT(served.kept, SizeIs(2));
    EXPECT_THAT(
        served.kept[0].text,
        testing::MatchesRegex("Received: from unknown \\(192.0.2.1\\)\n  by mail.test with QMTP; .* -0000\n"
                              "Subject: x\n\nhi\n"));
    EXPECT_EQ(served.kept[0].sender, "a@b");
    EXPECT_THAT(served.kept[0].recipients, ElementsAre("c@d", "f@d"));
    EXPECT_THAT(served.kept[1].text, testing::EndsWith("-0000\nSubject: y\n\nho\n"));
    EXPECT_THAT(served.log,
                ElementsAre("refuse from 192.0.2.1 sender <a@b> rcpt <e@elsewhere> reason 553 sorry, that "
                            "domain isn't in my list of allowed rcpthosts (#5.7.1): no rule"));
}

TEST(QmtpSession, WhatCannotBeAnAddress) {
    const std::string nul("c\0@d", 4);
    Served served;
    served.qmtp(package("\nx\n", "a@b", {nul, "c\n@d", std::string(1003, 'x'), "", "ok@d"}));
    EXPECT_EQ(served.replies, impossible + impossible + impossible + impossible + accepted);
    EXPECT_THAT(served.kept[0].recipients, ElementsAre("ok@d"));
    for (const std::string& sender : {nul, std::string(1003, 'x'), std::string("a\n@b")}) {
        Served other;
        other.qmtp(package("\nx\n", sender, {"c@d"}));
        EXPECT_EQ(other.replies, netstring("Dunacceptable sender (#5.1.7)"));
        EXPECT_THAT(other.kept, IsEmpty());
    }
}

TEST(QmtpSession, LimitsAndRefusals) {
    Served served;
    served.terms.databytes = 5;
    served.qmtp(package("\n12345", "a@b", {"c@d"}) + package("\n123456", "a@b", {"c@d", "x@elsewhere"}));
    EXPECT_EQ(served.replies,
              ok(1) + netstring("Dsorry, that message size exceeds my databytes limit (#5.3.4)") + foreign);
    EXPECT_THAT(served.kept, SizeIs(1));

    Served many;
    many.terms.recipient_limit = 1;
    many.qmtp(package("\nx", "a@b", {"c@d", "e@d"}) + package("\nx", "later@x", {"c@d"}) +
              package("\nx", "a@b", {}));
    EXPECT_EQ(many.replies,
              ok(1) + netstring("Zsorry, too many recipients (#4.5.3)") + netstring("Zlater (#4.3.0)"));
    EXPECT_THAT(many.kept, SizeIs(1));

    Served looping;
    std::string text = "\n";
    for (int i = 0; i < 100; ++i) text += "Received: x\n";
    looping.qmtp(package(text + "\nbody\n", "a@b", {"c@d"}));
    EXPECT_EQ(looping.replies, netstring("Dtoo many hops, this message is looping (#5.4.6)"));
}

TEST(QmtpSession, TheQueueSaysNo) {
    Served served;
    served.answer = {queue::SubmitCode::write_error, 0, ""};
    served.qmtp(package("\nx", "a@b", {"c@d"}));
    EXPECT_EQ(served.replies, netstring("Zqq write error or disk full (#4.3.0)"));
    served.answer = {queue::SubmitCode::custom, 0, "Dno spam"};
    served.qmtp(package("\nx", "a@b", {"c@d"}));
    EXPECT_EQ(served.replies, netstring("Dno spam"));
}

TEST(QmtpSession, WhatIsNotTheProtocol) {
    for (const std::string& input : {std::string("EHLO x\r\n"), std::string("0:,"), netstring("Subject: x\n"),
                                     netstring("\nx") + netstring("a@b") + netstring("3:c@d"),
                                     netstring("\nx") + netstring("a@b") + netstring("9:c@d,"),
                                     netstring("\nx") + "3:a@b;", std::string("5:\nxyzu;")}) {
        Served served;
        served.qmtp(input);
        ASSERT_TRUE(served.error) << input;
        EXPECT_EQ(served.error->reaction(), Reaction::permanent) << input;
        EXPECT_THAT(served.kept, IsEmpty());
        EXPECT_EQ(served.replies, "");
    }
    const std::string whole = package("\nSubject: x\n", "a@b", {"c@d"});
    for (std::size_t size = 1; size < whole.size(); ++size) {
        Served served;
        served.qmtp(whole.substr(0, size));
        ASSERT_TRUE(served.error) << size;
        EXPECT_EQ(served.error->number(), EPIPE) << size;
        EXPECT_THAT(served.kept, IsEmpty());
    }
}

TEST(QmqpSession, AMessageAndItsAnswer) {
    Served served;
    served.qmqp(netstring(netstring("Subject: x\n\nhi\n") + netstring("a@b") + netstring("c@elsewhere") +
                          netstring("e@f")));
    EXPECT_FALSE(served.error);
    EXPECT_EQ(served.replies, accepted);
    ASSERT_THAT(served.kept, SizeIs(1));
    EXPECT_THAT(served.kept[0].text, testing::HasSubstr(" with QMQP; "));
    EXPECT_THAT(served.kept[0].text, testing::EndsWith("-0000\nSubject: x\n\nhi\n"));
    EXPECT_THAT(served.kept[0].recipients, ElementsAre("c@elsewhere", "e@f"));
}

TEST(QmqpSession, Refusals) {
    for (const std::string& envelope :
         {netstring(std::string("a\0", 2)) + netstring("c@d"),
          netstring("a") + netstring("c") + netstring("d\n"),
          netstring("a") + netstring(std::string(1003, 'x')), netstring("a") + netstring("")}) {
        Served served;
        served.qmqp(netstring(netstring("x") + envelope));
        EXPECT_EQ(served.replies, netstring("Dsorry, I can't accept addresses like that (#5.1.3)"));
        EXPECT_THAT(served.kept, IsEmpty());
    }
    EXPECT_EQ(Served().qmqp(netstring(netstring("x") + netstring("a"))).replies,
              netstring("Dno recipients (#5.5.4)"));
    EXPECT_EQ(Served().qmqp(netstring(netstring("12345") + netstring("a") + netstring("b")), 4).replies,
              netstring("Dsorry, that message size exceeds my databytes limit (#5.3.4)"));
}

TEST(QmqpSession, WhatIsNotTheProtocol) {
    const std::string whole = netstring(netstring("Subject: x\n") + netstring("a@b") + netstring("c@d"));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Served served;
        served.qmqp(whole.substr(0, size));
        EXPECT_TRUE(served.error) << size;
        EXPECT_THAT(served.kept, IsEmpty()) << size;
        EXPECT_EQ(served.replies, "");
    }
    for (const std::string& input : {netstring("x"), netstring(netstring("x")), netstring("9:x,0:,0:,"),
                                     std::string("GET / HTTP/1.0\r\n")})
        EXPECT_TRUE(Served().qmqp(input).error) << input;
}

}  // namespace
}  // namespace relais::qmtp
