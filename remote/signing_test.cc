#include "remote/signing.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace relais::remote {
namespace {

class NoBody final : public authres::MessageSink {
  public:
    void header(const authres::MessageHeader&) override {}
    void body(std::string_view) override {}
};

std::vector<std::string> domains(const std::string& header, std::vector<std::string> may_use) {
    NoBody sink;
    authres::MessageReader reader(sink);
    reader.add(header + "\r\nbody\r\n");
    reader.finish();
    mail::Submitter submitter{mail::Submitter::Kind::login, "anna@one.test", std::move(may_use)};
    return signing_domains(reader.header(), submitter);
}

using Domains = std::vector<std::string>;

TEST(SigningDomains, FromIsSignedForWhomMayUseIt) {
    EXPECT_EQ(domains("From: Anna <anna@One.Test>\r\n", {"@one.test"}), Domains{"one.test"});
    EXPECT_EQ(domains("From: anna@one.test\r\n", {"anna@one.test"}), Domains{"one.test"});
    EXPECT_EQ(domains("From: anybody@else.test\r\n", {"*"}), Domains{"else.test"});
    EXPECT_EQ(domains("From: b@two.test\r\n", {"@one.test", "@two.test"}), (Domains{"two.test", "one.test"}));
}

TEST(SigningDomains, OthersFromIsSignedByTheSubmittersOwnDomain) {
    EXPECT_EQ(domains("From: boss@other.test\r\n", {"@one.test"}), Domains{"one.test"});
    EXPECT_EQ(domains("From: anna@one.test, boss@other.test\r\n", {"@one.test"}), Domains{"one.test"});
    EXPECT_EQ(domains("From: bert@one.test\r\n", {"anna@one.test"}), Domains{"one.test"});
    EXPECT_EQ(domains("From: anna@sub.one.test\r\n", {"@one.test"}), Domains{"one.test"});
}

TEST(SigningDomains, NobodyStandsForWhatCannotBeRead) {
    EXPECT_EQ(domains("To: x@y.test\r\n", {"@one.test"}), Domains{});
    EXPECT_EQ(domains("From: anna@one.test\r\nFrom: boss@other.test\r\n", {"@one.test"}), Domains{});
    EXPECT_EQ(domains("From: <<anna@one.test\r\n", {"@one.test"}), Domains{});
    EXPECT_EQ(domains("From: undisclosed:;\r\n", {"@one.test"}), Domains{});
    EXPECT_EQ(domains("From: anna@one.test\r\n", {}), Domains{});
    std::string many = "From: a@one.test";
    for (int i = 0; i < 20; ++i) many += ", b@one.test";
    EXPECT_EQ(domains(many + "\r\n", {"@one.test"}), Domains{});
}

TEST(MessageWithSignature, CountsAndSendsWhatGoesBefore) {
    for (const std::size_t size : {std::size_t{10}, std::size_t{400'000}}) {
        const std::string body = "Subject: x\n\n" + std::string(size, 'x') + "\n";
        const Fd file(::memfd_create("message", MFD_CLOEXEC));
        ASSERT_EQ(::write(file.get(), body.data(), body.size()), static_cast<ssize_t>(body.size()));
        Message message(file.get(), 0, body.size());
        const std::uint64_t before = message.scan().wire_size;
        message.precede_with("DKIM-Signature: v=1\r\n", "one.test");
        EXPECT_EQ(message.scan().wire_size, before + 21);
        std::string out;
        message.encode([&](std::string_view piece, bool) { out += piece; });
        EXPECT_TRUE(out.starts_with("DKIM-Signature: v=1\r\nSubject: x\r\n\r\nxxx"));
        EXPECT_EQ(out.size(), before + 21 + 3);
        std::string wire;
        message.read_wire([&](std::string_view piece) {
            wire += piece;
            return true;
        });
        EXPECT_EQ(wire.size(), before);
    }
}

}  // namespace
}  // namespace relais::remote
