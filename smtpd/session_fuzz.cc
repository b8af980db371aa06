// A whole session over what a client sends: the input goes in through a descriptor, as from a connection,
// replies go nowhere, messages are kept in memory. The first octet chooses the rules that hold for the
// client. What must be true of any input: no crash, no message with another's octets in it, and no message at
// all without a real end of data.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "smtpd/session.h"
#include "smtpd/test_home.h"

namespace {

using namespace relais;

class CheckedSink : public smtpd::MessageSink {
  public:
    void write(std::string_view text) override { text_ += text; }
    queue::SubmitAnswer finish(const std::string& sender,
                               const std::vector<std::string>& recipients) override {
        if (recipients.empty() || sender.find('\0') != std::string::npos) std::abort();
        for (const std::string& recipient : recipients)
            if (recipient.empty() ||
                recipient.find_first_of(std::string_view("\0\n\r", 3)) != std::string::npos)
                std::abort();
        // Every line of a message has come to its end, and no CR is left.
        if (text_.empty() || text_.back() != '\n' || text_.find('\r') != std::string::npos) std::abort();
        return {queue::SubmitCode::accepted, 1, ""};
    }
    std::uint64_t qp() const override { return 1; }

  private:
    std::string text_;
};

// Knows nobody but whose password is "right".
class Nobody : public smtpd::LoginAuthority {
  public:
    Offers offers() override { return {true, true, true, true}; }
    Verdict check_password(std::string_view, std::string_view password) override {
        return verdict(password == "right");
    }
    Verdict check_cram(std::string_view, std::string_view, std::string_view) override {
        return verdict(false);
    }
    Salt find_salt(std::string_view) override { return {true, "salt", 4096}; }
    Verdict check_scram(std::string_view, std::string_view, std::string_view) override {
        return verdict(false);
    }
    Verdict check_token(sasl::Mechanism, std::string_view, std::string_view) override {
        return verdict(false);
    }

  private:
    static Verdict verdict(bool right) {
        return right ? Verdict{Result::right, "anna@mail.test"} : Verdict{Result::refused, "", "no"};
    }
};

Fd descriptor_with(std::string_view content) {
    Fd fd(::memfd_create("input", MFD_CLOEXEC));
    if (!fd || ::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()))
        std::abort();
    ::lseek(fd.get(), 0, SEEK_SET);
    return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    static const smtpd::TestHome files;
    static const bool prepared = [] {
        files.control("rcpthosts", "mail.test\n");
        files.control("badmailfrom", "@bad.example\n");
        return true;
    }();
    static_cast<void>(prepared);
    const unsigned rules = data[0];
    policy::Client client;
    client.ip = client.local_ip = "192.0.2.1";
    client.fixcrio = (rules & 1) != 0;
    client.refuse_nul = (rules & 2) != 0;
    if ((rules & 4) != 0) client.relayclient = "";
    if ((rules & 8) != 0) client.databytes = 64;
    client.submission = (rules & 32) != 0;
    if ((rules & 64) != 0) client.ip = "127.0.0.1";
    smtpd::Settings settings;
    settings.me = settings.greeting = "mail.test";
    settings.recipient_limit = 5;
    settings.front_ends = settings.login_front_ends = opensmtp::NetworkSet({"127.0.0.1"});
    settings.chunking = (rules & 128) != 0;
    settings.enhanced_codes = (rules & 128) != 0;
    const Fd input = descriptor_with({reinterpret_cast<const char*>(data) + 1, size - 1});
    const Fd output = descriptor_with("");
    smtpd::Channel channel(input.get(), output.get(), settings.timeout);
    policy::Policy policy(files.home());
    smtpd::Session session(
        channel, client, settings, policy, [] { return std::make_unique<CheckedSink>(); },
        [](const relais::Event& event) {
            const std::string& line = event.classic();
            for (const char c : line)
                if (c < 32 || c > 126) std::abort();
            if (line.size() > 8192) std::abort();
        });
    session.set_meet([](const smtpd::Session::Acquaintance& whom) -> std::optional<policy::Client> {
        if (!whom.ip) return std::nullopt;
        policy::Client met;
        met.ip = met.local_ip = *whom.ip;
        met.host = whom.host;
        return met;
    });
    Nobody nobody;
    if ((rules & 16) != 0) session.set_authority(nobody);
    session.run();
    return 0;
}
