// A whole session with a server that says anything at all: it comes to its end, says something of each recipient
// at most once, and takes a message for delivered only where the server said so.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"
#include "base/fd.h"
#include "remote/session.h"

namespace {

using namespace relais;

const std::string message_text = "Subject: x\n\nhello\n.dot\n";

remote::SessionSettings settings_by(unsigned choice) {
    remote::SessionSettings settings;
    settings.helo_host = "client.test";
    settings.timeout = settings.greeting = Seconds(5);
    settings.strict_8bit = (choice & 1) != 0;
    settings.tls.level = remote::TlsLevel::none;
    settings.tls.cleartext_password = true;
    if ((choice & 2) != 0) {
        auto credentials = std::make_shared<remote::Credentials>();
        credentials->user = "anna";
        credentials->password = Secret("secret");
        settings.credentials = std::move(credentials);
    }
    return settings;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t input_limit = 65536;  // fits into the socket
    if (size == 0 || size > input_limit) return 0;
    const std::string_view said(reinterpret_cast<const char*>(data) + 1, size - 1);
    static const int file = [] {
        const int fd = ::memfd_create("message", MFD_CLOEXEC);
        if (::write(fd, message_text.data(), message_text.size()) != std::ssize(message_text)) std::abort();
        return fd;
    }();
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0) std::abort();
    const Fd server(both[0]);
    Fd client(both[1]);
    if (!said.empty() && ::send(server.get(), said.data(), said.size(), 0) != std::ssize(said)) std::abort();
    ::shutdown(server.get(), SHUT_WR);
    remote::Session session(std::move(client), "192.0.2.1", settings_by(data[0]));
    if (session.open().refused) return 0;
    for (int i = 0; i < 2; ++i) {
        remote::Message message(file, 0, message_text.size());
        const remote::Result result =
            session.send("me@here.test", {"a@there.test", "b@there.test"}, message).result;
        if (result.recipients.size() > 2) std::abort();
        if (result.message.letter == remote::Letter::accepted && said.find('2') == std::string_view::npos)
            std::abort();
        const send::Report report = remote::to_report(result, 2);
        if (report.recipients.size() != 2 || !send::decode_report(send::encode(report))) std::abort();
        if (!session.usable()) return 0;
    }
    session.quit();
    return 0;
}
