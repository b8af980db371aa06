#include "sts/server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <functional>

#include "base/io.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "sts/fetch.h"

namespace relais::sts {
namespace {

// A server whose fetchers the test is.
class StsFetching : public ::testing::Test {
  protected:
    StsFetching() {
        std::string name = testing::TempDir() + "stsXXXXXX";
        directory_ = ::mkdtemp(name.data());
        std::filesystem::create_directory(directory_ + "/sts");
        cache_.emplace(directory_ + "/sts", 100, now_seconds());
        listening_ =
            listen_unix(directory_ + "/socket", 0600, static_cast<uid_t>(-1), static_cast<gid_t>(-1));
        std::vector<Fd> theirs;
        for (Fd& ours : fetchers_) {
            auto [one, other] = make_packet_pair();
            ours = std::move(one);
            theirs.push_back(std::move(other));
        }
        server_.emplace(loop_, listening_.get(), std::move(theirs), *cache_);
    }
    ~StsFetching() override { std::filesystem::remove_all(directory_); }

    void know(const std::string& domain) {
        cache_->put(domain,
                    {Policy{Mode::enforce, 600, {"mx." + domain}}, "1", now_seconds(), now_seconds() + 600},
                    now_seconds());
    }
    void ask(const std::string& domain) {
        clients_.push_back(connect_unix(directory_ + "/socket", Deadline::in(Seconds(5))));
        write_all(clients_.back().get(), encode(Question{domain, "2"}), Deadline::in(Seconds(5)));
    }
    // What this fetcher is told next; nothing if that is nothing, with all that was asked before answered.
    std::optional<Order> order(std::size_t fetcher) {
        std::array<char, 512> packet;
        ssize_t size = -1;
        for (int turn = 0; turn < 20 && size < 0; ++turn) {
            loop_.after(std::chrono::milliseconds(1), [this] { loop_.stop(); });
            loop_.run();
            size = ::recv(fetchers_[fetcher].get(), packet.data(), packet.size(), MSG_DONTWAIT);
        }
        return size < 0 ? std::nullopt : decode_order({packet.data(), static_cast<std::size_t>(size)});
    }
    std::string domain(std::size_t fetcher) {
        const auto told = order(fetcher);
        return told ? told->domain : "";
    }
    void fails(std::size_t fetcher) { send_packet(fetchers_[fetcher].get(), "Nno"); }

    std::string directory_;
    EventLoop loop_;
    std::optional<Cache> cache_;
    Fd listening_;
    std::array<Fd, 3> fetchers_;
    std::optional<StsServer> server_;
    std::vector<Fd> clients_;
};

// Or a policy would end while servers that say nothing keep everybody busy, and mail would go without it.
TEST_F(StsFetching, DomainsOfWhichNothingIsKnownLeaveOneFetcher) {
    for (const char* each : {"a.one.test", "b.two.test", "c.three.test", "d.four.test"}) ask(each);
    EXPECT_EQ(domain(0), "a.one.test");
    const auto second = order(1);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->domain, "b.two.test");
    EXPECT_EQ(second->patience, answer_patience);
    EXPECT_FALSE(order(2));
    know("known.test");
    ask("known.test");
    const auto renewal = order(2);
    ASSERT_TRUE(renewal);
    EXPECT_EQ(renewal->domain, "known.test");
    EXPECT_EQ(renewal->patience, ServerLimits().patience);
    // What is known goes first at the others, too.
    know("known2.test");
    ask("known2.test");
    EXPECT_EQ(domain(0), "");
    fails(0);
    EXPECT_EQ(domain(0), "known2.test");
}

TEST_F(StsFetching, NamesBelowOneDomainKeepOneFetcherBusy) {
    for (const char* each : {"a.evil.test", "b.evil.test", "evil.test", "honest.test"}) ask(each);
    EXPECT_EQ(domain(0), "a.evil.test");
    EXPECT_EQ(domain(1), "honest.test");
    fails(1);
    EXPECT_EQ(domain(1), "");
    fails(0);
    EXPECT_EQ(domain(0), "b.evil.test");
}

TEST_F(StsFetching, NamesBelowOneDomainLeaveRoomForOthers) {
    const std::size_t many = ServerLimits().jobs_of_one + 20;
    for (std::size_t i = 0; i < many; ++i) ask("n" + std::to_string(i) + ".evil.test");
    EXPECT_EQ(domain(0), "n0.evil.test");
    ask("honest.test");
    EXPECT_EQ(domain(1), "honest.test");
    // Those beyond have their answer already.
    std::array<char, 8> octets;
    EXPECT_GT(::recv(clients_[many - 1].get(), octets.data(), octets.size(), MSG_DONTWAIT), 0);
    EXPECT_LT(::recv(clients_[0].get(), octets.data(), octets.size(), MSG_DONTWAIT), 0);
}

TEST(StsOrder, ThereAndBack) {
    const auto order = decode_order(encode(Order{"example.org", Seconds(60)}));
    ASSERT_TRUE(order);
    EXPECT_EQ(order->domain, "example.org");
    EXPECT_EQ(order->patience, Seconds(60));
    for (const char* wrong : {"", "\x14", "\x14no",
                              "\x7f"
                              "example.org",
                              "example.org"})
        EXPECT_FALSE(decode_order(wrong)) << wrong;
}

}  // namespace
}  // namespace relais::sts
