// A whole session, of SMTP, LMTP or QMTP, with a server that says anything: the input is what it says, in
// turns that end with a 0xff; after each it waits for a word of ours, or a moment. Its first octet chooses
// what we want of it. What must be true of any server: an end, a verdict over each recipient, and nothing of
// the password in our words.
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "remote/qmtp_conversation.h"
#include "remote/session.h"

namespace {

using namespace relais;

constexpr char turn_end = static_cast<char>(0xff);
constexpr int moment = 2;  // milliseconds
constexpr std::size_t input_limit = 32768;
constexpr std::string_view password = "xyzzy-correct-horse";

void require(bool condition) {
    if (!condition) std::abort();
}

// The peer, until its turns are over.
void speak(int socket, std::string_view turns) {
    std::array<char, 65536> heard;
    while (!turns.empty()) {
        const std::size_t end = std::min(turns.find(turn_end), turns.size());
        if (::send(socket, turns.data(), end, MSG_NOSIGNAL) < 0) return;
        turns.remove_prefix(std::min(end + 1, turns.size()));
        pollfd entry{socket, POLLIN, 0};
        if (::poll(&entry, 1, moment) > 0 && ::recv(socket, heard.data(), heard.size(), 0) <= 0) return;
    }
    ::shutdown(socket, SHUT_WR);
    // Until we have gone, or are silent.
    pollfd entry{socket, POLLIN, 0};
    while (::poll(&entry, 1, moment) > 0 && ::recv(socket, heard.data(), heard.size(), 0) > 0) {
    }
    ::shutdown(socket, SHUT_RDWR);
}

Fd message_file() {
    constexpr std::string_view text = "Subject: x\n\n.a line\nwith \xe4\n";
    Fd fd(::memfd_create("message", MFD_CLOEXEC));
    require(fd && ::write(fd.get(), text.data(), text.size()) == std::ssize(text));
    return fd;
}

void send_some(remote::Conversation& session, unsigned wishes) {
    static const Fd file = message_file();
    const std::vector<std::string> recipients = {"a@there.test", "b@there.test", "c@there.test"};
    remote::DsnRequest dsn;
    if ((wishes & 4) != 0) {
        dsn.envid = "id";
        dsn.recipients.resize(recipients.size());
        dsn.recipients[0].orcpt = "rfc822;a@there.test";
    }
    for (int i = 0; i < 2 && session.usable(); ++i) {
        remote::Message message(file.get(), 0, 30);
        const auto attempt = session.send("me@here.test", recipients, message, dsn);
        require(attempt.result.recipients.size() <= recipients.size());
        const send::Report report = remote::to_report(attempt.result, recipients.size());
        require(report.recipients.size() == recipients.size());
        const std::string text = remote::classic_output(attempt.result);
        require(text.ends_with('\0') && text.find(password) == std::string::npos);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0 || size > input_limit) return 0;
    const unsigned wishes = data[0];
    const std::string_view turns(reinterpret_cast<const char*>(data) + 1, size - 1);
    int both[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
    const Fd server(both[0]);
    Fd client(both[1]);
    set_nonblocking(client.get(), true);
    std::thread peer([&] { speak(server.get(), turns); });
    {
        remote::SessionSettings settings;
        settings.helo_host = "here.test";
        settings.timeout = settings.greeting = Seconds(10);
        settings.strict_8bit = (wishes & 1) != 0;
        settings.lmtp = (wishes & 64) != 0;
        if ((wishes & 2) != 0) {
            auto credentials = std::make_shared<remote::Credentials>();
            credentials->user = "me";
            credentials->password = Secret(password);
            settings.credentials = credentials;
            settings.tls.cleartext_password = (wishes & 8) != 0;
        }
        std::unique_ptr<remote::Conversation> session;
        if ((wishes & 128) != 0)
            session = std::make_unique<remote::QmtpConversation>(std::move(client), "192.0.2.1", "there.test",
                                                                 settings.timeout);
        else
            session = std::make_unique<remote::Session>(std::move(client), "192.0.2.1", settings);
        const auto opening = session->open();
        if (opening.refused)
            require(opening.refused->text.find(password) == std::string::npos);
        else
            send_some(*session, wishes);
        session->quit();
    }
    peer.join();
    return 0;
}
