#include "local/user_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/fd.h"
#include "base/unix_socket.h"

namespace relais::local {
namespace {

namespace fs = std::filesystem;

const std::string message = "Subject: x\n\nhello\n";

class UserProcessTest : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/user_process_test.XXXXXX";
        home_ = ::mkdtemp(name);
        for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(home_ / "Maildir" / part);
        std::ofstream(home_ / "message", std::ios::binary) << message << "ENVELOPE";
        auto [ours, theirs] = make_packet_pair();
        channel_ = std::move(ours);
        process_ = ::fork();
        if (process_ != 0) return;
        ::close(channel_.release());
        serve_user(control::Home("/nonexistent"), theirs.get(), "./Maildir/\n");
        ::_exit(0);
    }
    void TearDown() override {
        channel_.reset();
        int status = 0;
        ::waitpid(process_, &status, 0);
        EXPECT_EQ(status, 0);
        fs::remove_all(home_);
    }

    User user(const std::string& extension = "") const {
        return {"joe", ::getuid(), ::getgid(), home_.string(), extension.empty() ? "" : "-", extension};
    }
    void send(std::uint64_t delivery, const User& to) {
        const Fd file(::open((home_ / "message").c_str(), O_RDONLY | O_CLOEXEC));
        send::LocalOrder order{delivery, 1, message.size(), "a@far.test", "joe@mail.test"};
        send_packet(channel_.get(), encode_user_order(encode_user(to), order), file.get());
    }
    send::Report answer() {
        const auto packet = receive_packet(channel_.get(), 16384);
        return send::decode_report(packet.value().data).value();
    }
    std::size_t delivered() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(home_ / "Maildir/new"), fs::directory_iterator()));
    }

    fs::path home_;
    Fd channel_;
    pid_t process_ = -1;
};

TEST_F(UserProcessTest, DeliversOneAfterTheOther) {
    for (std::uint64_t delivery = 1; delivery <= 30; ++delivery) {
        send(delivery, user());
        if (delivery % 3 != 0) continue;  // some wait together
        for (std::uint64_t sent = delivery - 2; sent <= delivery; ++sent) {
            const send::Report report = answer();
            EXPECT_EQ(report.delivery, sent);
            ASSERT_EQ(report.recipients.size(), 1U);
            EXPECT_EQ(report.recipients[0].outcome, send::Outcome::success);
            EXPECT_EQ(report.recipients[0].text, "did 1+0+0");
        }
    }
    EXPECT_EQ(delivered(), 30U);
}

TEST_F(UserProcessTest, WhatIsNotOneMaildirIsGivenBack) {
    for (const char* text :
         {"./Maildir/\n|true\n", "&b@far.test\n", "./mbox\n", "./Maildir/\n./Maildir/\n", "+list\n", "\n"}) {
        std::ofstream(home_ / ".qmail", std::ios::trunc) << text;
        send(7, user());
        const send::Report report = answer();
        EXPECT_EQ(report.delivery, 7U);
        EXPECT_TRUE(report.recipients.empty()) << text;
    }
    EXPECT_EQ(delivered(), 0U);
}

TEST_F(UserProcessTest, OneThatFailsDoesNotHarmTheOthers) {
    User homeless = user();
    homeless.home = home_.string() + "/nowhere";
    fs::create_directories(home_ / "other");  // a home without a Maildir
    User boxless = user();
    boxless.home = home_.string() + "/other";
    send(1, user());
    send(2, homeless);
    send(3, user("unknown"));
    send(4, boxless);
    send(5, user());
    const std::vector<send::Outcome> expected = {send::Outcome::success, send::Outcome::temporary,
                                                 send::Outcome::permanent, send::Outcome::temporary,
                                                 send::Outcome::success};
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const send::Report report = answer();
        EXPECT_EQ(report.delivery, i + 1);
        ASSERT_EQ(report.recipients.size(), 1U);
        EXPECT_EQ(report.recipients[0].outcome, expected[i]) << report.recipients[0].text;
    }
    EXPECT_EQ(delivered(), 2U);
}

TEST(UserOrder, SurvivesItsPacket) {
    const User user{"joe", 1000, 1001, "/home/joe", "-", "list"};
    const send::LocalOrder order{3, 4, 5, "s@a.test", "joe-list@b.test"};
    const std::string packet = encode_user_order(encode_user(user), order);
    const auto same = decode_user_order(packet);
    ASSERT_TRUE(same);
    EXPECT_EQ(same->user.extension, "list");
    EXPECT_EQ(same->user.gid, 1001U);
    EXPECT_EQ(same->order.recipient, "joe-list@b.test");
    for (std::size_t size = 0; size < packet.size(); ++size)
        EXPECT_FALSE(decode_user_order(packet.substr(0, size))) << size;
    EXPECT_FALSE(decode_user_order(packet + "x"));
}

}  // namespace
}  // namespace relais::local
