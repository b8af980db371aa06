#include "setup/top_door.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/unix_socket.h"
#include "control/cages.h"
#include "control/tool.h"

namespace relais::setup {
namespace {

constexpr Seconds connect_patience{1};
constexpr std::size_t packet_limit = 16;

// The child: a packet asks for a connection. The answer has it, or the number of what was in the way.
[[noreturn]] void keep_door(const control::Home& home, int channel) {
    // Keys of the terminal are the other half's; this one ends with it.
    for (const int signal : {SIGINT, SIGQUIT, SIGTSTP, SIGHUP}) ::signal(signal, SIG_IGN);
    int code = 0;
    try {
        control::enter(control::top_door_cage, home);
        while (receive_packet(channel, packet_limit)) {
            std::string number(1, '\0');
            Fd connection;
            try {
                connection = connect_unix(home.socket("send-control"), Deadline::in(connect_patience));
            } catch (const Error& error) {
                number[0] = static_cast<char>(error.number() == 0 ? EIO : error.number());
            }
            if (!send_packet(channel, number, connection ? connection.get() : -1)) break;
        }
    } catch (const Error&) {
        code = 1;
    }
    ::_exit(code);
}

}  // namespace

TopDoor::TopDoor(control::Home home, const control::Owners& owners) : home_(std::move(home)) {
    if (::geteuid() != 0 || owners.single()) return;
    auto [ours, theirs] = make_packet_pair();
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork", "the half that asks qmail-send");
    if (pid == 0) {
        ours.reset();
        keep_door(home_, theirs.get());
    }
    child_ = std::move(ours);
    control::become(owners,
                    owners.has(control::Role::qmailm) ? control::Role::qmailm : control::Role::qmailp);
}

std::optional<Fd> TopDoor::connect(Deadline deadline) {
    int number = 0;
    if (!child_) {
        try {
            return connect_unix(home_.socket("send-control"),
                                earlier(deadline, Deadline::in(connect_patience)));
        } catch (const Error& error) {
            number = error.number();
        }
    } else {
        // It cannot be late by more than its own patience, so no answer is ever that of an older question.
        if (!send_packet(child_.get(), "c"))
            throw Error(Reaction::bug, "the half that asks qmail-send has ended");
        auto packet = receive_packet(child_.get(), packet_limit);
        if (!packet || packet->data.size() != 1)
            throw Error(Reaction::bug, "the half that asks qmail-send has ended");
        if (packet->passed) return std::move(packet->passed);
        number = static_cast<unsigned char>(packet->data[0]);
    }
    if (number == ENOENT || number == ECONNREFUSED) return std::nullopt;
    throw_errno("ask", "qmail-send", number);
}

TopDoor::Answers TopDoor::ask(Deadline deadline) {
    // qmail-send closes a connection that was quiet, and a new qmail-send knows none of the old one's.
    for (const bool kept : {true, false}) {
        if (kept && !client_) continue;
        try {
            if (!client_) {
                auto connection = connect(deadline);
                if (!connection) return {"", "", "qmail-send does not run: qmailctl start, qmailctl doctor"};
                client_.emplace(*std::move(connection));
            }
            Answers answers;
            for (auto [verb, text] : {std::pair(send::ControlVerb::stat, &answers.stat),
                                      std::pair(send::ControlVerb::running, &answers.running)}) {
                const send::ControlAnswer answer = client_->ask({verb, 0}, deadline);
                if (answer.ok) *text = answer.text;
            }
            return answers;
        } catch (const Error& error) {
            client_.reset();
            if (control::is_refusal(error.number()))
                throw Error(Reaction::permanent, error.what(), error.number());
            if (!kept) return {"", "", error.what()};
        }
    }
    return {};
}

}  // namespace relais::setup
