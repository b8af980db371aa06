// A whole session of QMTP, or with an odd first octet of QMQP, over what a client sends. What must be true of
// any input: no crash, no message without all of its octets, and no address that could leave the envelope's
// form.
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "qmtp/qmqp_session.h"
#include "qmtp/qmtp_session.h"
#include "qmtp/test_client.h"

namespace {

using namespace relais;

void check(const std::vector<qmtp::KeptMessage>& kept) {
    constexpr std::string_view forbidden("\0\n", 2);
    for (const qmtp::KeptMessage& message : kept) {
        if (message.recipients.empty() || !message.text.starts_with("Received: ")) std::abort();
        if (message.sender.find_first_of(forbidden) != std::string::npos) std::abort();
        for (const std::string& recipient : message.recipients)
            if (recipient.empty() || recipient.find_first_of(forbidden) != std::string::npos) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Fd in = qmtp::file_with({reinterpret_cast<const char*>(data) + 1, size - 1});
    const Fd out = qmtp::file_with("");
    std::vector<qmtp::KeptMessage> kept;
    const qmtp::OpenSink open_sink = [&] {
        return std::make_unique<qmtp::KeepingSink>(kept,
                                                   queue::SubmitAnswer{queue::SubmitCode::accepted, 1, ""});
    };
    policy::Client client;
    qmtp::Terms terms;
    terms.databytes = 100;
    terms.recipient_limit = 3;
    Reader reader(in.get());
    try {
        if ((data[0] & 1) != 0)
            qmtp::serve_qmqp(reader, out.get(), client, 100, std::chrono::seconds(60), open_sink);
        else
            qmtp::serve_qmtp(
                reader, out.get(), client, terms,
                [](std::string_view, std::string_view recipient) {
                    policy::Verdict verdict;
                    verdict.recipient = recipient;
                    if (recipient.starts_with("no")) {
                        verdict.cause = policy::Cause::no_right;
                        verdict.reply = "553 no";
                    }
                    return verdict;
                },
                open_sink, [](std::string_view) {});
    } catch (const Error&) {
    }
    check(kept);
    return 0;
}
