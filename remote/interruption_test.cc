#include "remote/interruption.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <utility>

#include "base/fd.h"
#include "base/unix_socket.h"
#include "send/delivery_protocol.h"

namespace relais::remote {
namespace {

using namespace std::chrono_literals;

// A process with a delivery of two recipients that waits for its server, and its end of the channel.
class WaitingDelivery {
  public:
    WaitingDelivery(bool behind_the_dot, std::chrono::milliseconds patience) {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        channel_ = Fd(ends[0]);
        const Fd theirs(ends[1]);
        child_ = ::fork();
        EXPECT_GE(child_, 0);
        if (child_ != 0) return;
        channel_.reset();
        const Interruption interruption(theirs.get(), 7, 2, patience);
        if (behind_the_dot) Interruption::point_of_no_return();
        send_packet(theirs.get(), "ready");
        const auto end = std::chrono::steady_clock::now() + 60s;
        while (std::chrono::steady_clock::now() < end) ::usleep(50'000);
        ::_exit(1);
    }
    ~WaitingDelivery() {
        if (child_ <= 0) return;
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }
    WaitingDelivery(const WaitingDelivery&) = delete;
    WaitingDelivery& operator=(const WaitingDelivery&) = delete;

    // Ends the channel, as a spawner does that retires.
    void retire() {
        EXPECT_EQ(receive(), "ready");
        retired_ = std::chrono::steady_clock::now();
        EXPECT_EQ(::shutdown(channel_.get(), SHUT_WR), 0);
    }
    std::optional<send::Report> report() { return send::decode_report(receive()); }
    std::chrono::steady_clock::duration since() const { return std::chrono::steady_clock::now() - retired_; }
    bool ended_well() {
        int status = 0;
        return ::waitpid(std::exchange(child_, -1), &status, 0) > 0 && status == 0;
    }

  private:
    std::string receive() {
        const auto packet = receive_packet(channel_.get(), send::packet_limit);
        return packet ? packet->data : "";
    }

    Fd channel_;
    pid_t child_ = -1;
    std::chrono::steady_clock::time_point retired_;
};

TEST(Interruption, BeforeTheDotADeliveryIsGivenBack) {
    WaitingDelivery delivery(false, answer_patience);
    delivery.retire();
    const auto report = delivery.report();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->delivery, 7U);
    EXPECT_TRUE(report->recipients.empty());
    EXPECT_TRUE(delivery.ended_well());
}

TEST(Interruption, BehindTheDotTheAnswerHasItsTimeAndThenItIsADeferral) {
    WaitingDelivery delivery(true, 1s);
    delivery.retire();
    const auto report = delivery.report();
    EXPECT_GE(delivery.since(), 1s);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->delivery, 7U);
    ASSERT_EQ(report->recipients.size(), 2U);
    for (const send::RecipientReport& recipient : report->recipients) {
        EXPECT_EQ(recipient.outcome, send::Outcome::temporary);
        EXPECT_NE(recipient.text.find("did not answer within a minute"), std::string::npos);
        EXPECT_NE(recipient.text.find("Possible duplicate!"), std::string::npos);
    }
    EXPECT_TRUE(delivery.ended_well());
}

}  // namespace
}  // namespace relais::remote
