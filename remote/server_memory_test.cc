#include "remote/server_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace relais::remote {
namespace {

constexpr std::int64_t noon = 1'700'000'000;
constexpr std::int64_t day = 24 * 3600;
constexpr Seconds month{30 * day};

Fd empty_file() {
    return Fd(::memfd_create("servers", MFD_CLOEXEC));
}

Extensions offering(std::uint64_t size_limit) {
    Extensions offered;
    offered.size = offered.smtp_utf8 = offered.dsn = true;
    offered.size_limit = size_limit;
    return offered;
}

TEST(ServerMemory, KeepsWhatAServerOffersAndWhenItWasEncrypted) {
    ServerMemory memory(empty_file());
    EXPECT_FALSE(memory.find("mx.test"));
    memory.note_session("MX.test", offering(5'000'000'000), true, noon);
    memory.note_session("other.test", {}, false, noon + 5);
    const auto known = memory.find("mx.TEST");
    ASSERT_TRUE(known);
    EXPECT_EQ(known->encrypted, noon);
    EXPECT_EQ(known->seen, noon);
    EXPECT_EQ(known->failing_since, 0);
    EXPECT_TRUE(known->extensions.starttls);
    EXPECT_TRUE(known->extensions.smtp_utf8);
    EXPECT_FALSE(known->extensions.pipelining);
    EXPECT_EQ(known->extensions.size_limit, 5'000'000'000U);
    EXPECT_EQ(memory.find("other.test")->encrypted, 0);
    EXPECT_EQ(memory.find("other.test")->seen, noon + 5);
    EXPECT_FALSE(memory.find("third.test"));
}

TEST(ServerMemory, IsTheSameForTheNextProcess) {
    const Fd file = empty_file();
    ServerMemory(Fd(::dup(file.get()))).note_session("mx.test", {}, true, noon);
    EXPECT_EQ(ServerMemory(Fd(::dup(file.get()))).find("mx.test")->encrypted, noon);
}

TEST(ServerMemory, AServerIsHeldForADayOfFailures) {
    ServerMemory memory(empty_file());
    const auto hold = [&](std::int64_t at) { return tls_hold(*memory.find("mx.test"), month, at); };
    memory.note_session("mx.test", {}, true, noon);
    EXPECT_EQ(hold(noon), TlsHold::held);
    EXPECT_EQ(hold(noon + 29 * day), TlsHold::held);
    EXPECT_EQ(hold(noon + 30 * day), TlsHold::none);
    EXPECT_EQ(hold(noon - 10), TlsHold::none);
    EXPECT_EQ(tls_hold(*memory.find("mx.test"), Seconds(0), noon), TlsHold::none);
    std::int64_t at = noon + 10 * day;
    for (int hour = 0; hour < 24; ++hour, at += 3600) {
        memory.note_tls_failure("mx.test", at);
        EXPECT_EQ(hold(at), TlsHold::held) << hour;
    }
    EXPECT_EQ(hold(at), TlsHold::given_up);
    memory.note_tls_failure("mx.test", at);
    EXPECT_EQ(hold(at + 10), TlsHold::given_up);
    // What was sent in clear meanwhile is no success of TLS.
    memory.note_session("mx.test", {}, false, at + 20);
    EXPECT_EQ(hold(at + 30), TlsHold::given_up);
    memory.note_session("mx.test", {}, true, at + 40);
    EXPECT_EQ(hold(at + 50), TlsHold::held);
    EXPECT_EQ(memory.find("mx.test")->failing_since, 0);
}

TEST(ServerMemory, OneFailureLongAgoDoesNotGiveUp) {
    ServerMemory memory(empty_file());
    memory.note_session("mx.test", {}, true, noon);
    memory.note_tls_failure("mx.test", noon + day);
    EXPECT_EQ(tls_hold(*memory.find("mx.test"), month, noon + 5 * day), TlsHold::held);
    memory.note_tls_failure("mx.test", noon + 5 * day);
    EXPECT_EQ(memory.find("mx.test")->failing_since, noon + 5 * day);
    EXPECT_EQ(tls_hold(*memory.find("mx.test"), month, noon + 5 * day + 60), TlsHold::held);
}

TEST(ServerMemory, IsBounded) {
    const Fd file = empty_file();
    ServerMemory memory(Fd(::dup(file.get())));
    constexpr int servers = 40000;
    for (int i = 0; i < servers; ++i)
        memory.note_session("mx" + std::to_string(i) + ".test", {}, true, noon + i);
    EXPECT_LE(::lseek(file.get(), 0, SEEK_END),
              off_t{ServerMemory::record_size * ServerMemory::row_records * (ServerMemory::rows + 1)});
    // The last ones are there.
    for (int i = servers - 100; i < servers; ++i)
        EXPECT_TRUE(memory.find("mx" + std::to_string(i) + ".test")) << i;
}

TEST(ServerMemory, NothingIsKnownWithoutAFile) {
    ServerMemory none;
    none.note_session("mx.test", {}, true, noon);
    none.note_tls_failure("mx.test", noon);
    EXPECT_FALSE(none.find("mx.test"));
    for (const std::string& content : {std::string(384, 'x'), std::string(5000, '\0'), std::string("x")}) {
        Fd file = empty_file();
        ASSERT_EQ(::write(file.get(), content.data(), content.size()), std::ssize(content));
        const Fd same(::dup(file.get()));
        ServerMemory damaged(std::move(file));
        EXPECT_FALSE(damaged.usable());
        // What is somebody else's is not written over.
        EXPECT_EQ(::lseek(same.get(), 0, SEEK_END), std::ssize(content));
        EXPECT_FALSE(damaged.find("mx.test"));
    }
}

TEST(ServerMemory, AHeadThatWasNotWrittenWholeIsMadeAnew) {
    Fd file = empty_file();
    ASSERT_EQ(::write(file.get(), "relais", 6), 6);
    ServerMemory memory(std::move(file));
    memory.note_session("mx.test", {}, true, noon);
    EXPECT_TRUE(memory.find("mx.test"));
}

TEST(ServerMemory, NobodyCanChooseWhomHePushesOut) {
    ServerMemory one(empty_file()), other(empty_file());
    one.note_session("mx.test", {}, true, noon);
    other.note_session("mx.test", {}, true, noon);
    const auto octets = [](const ServerMemory& memory) {
        std::string all(2 << 20, '\0');
        all.resize(static_cast<std::size_t>(::pread(memory.fd(), all.data(), all.size(), 0)));
        return all;
    };
    EXPECT_NE(octets(one).substr(384), octets(other).substr(384));
}

}  // namespace
}  // namespace relais::remote
