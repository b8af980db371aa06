#include "start/succession.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "send/control_protocol.h"

namespace relais::start {
namespace {

constexpr std::string_view word = "spawn.";
// It only waits while a spawner's backlog is full.
constexpr Seconds connect_patience{1};
// Descriptors that qmail-send can be given.
constexpr std::size_t spawners_limit = 200;

}  // namespace

void ask_for_handover(const control::Home& home) {
    try {
        const Fd socket = connect_unix(home.socket("send-control"), Deadline::in(connect_patience));
        const std::string request = send::encode(send::ControlRequest{send::ControlVerb::handover, 0}) + "\n";
        // Its answer is that the lock becomes free.
        [[maybe_unused]] const ssize_t sent =
            ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    } catch (const Error&) {
        // Nobody is there.
    }
}

RetiredSpawners connect_to_spawners(const control::Home& home) {
    RetiredSpawners found;
    for (const auto& entry : std::filesystem::directory_iterator(home.path("sockets"))) {
        const std::string name = entry.path().filename();
        const char letter = name[0];
        if ((letter != 'l' && letter != 'r') || !std::string_view(name).substr(1).starts_with(word)) continue;
        try {
            Fd channel = connect_packets(entry.path(), Deadline::in(connect_patience));
            if (found.channels.size() == spawners_limit)
                throw Error(Reaction::temporary, "unable to ask all old spawners: there are too many");
            found.letters += letter;
            found.channels.push_back(std::move(channel));
        } catch (const Error& error) {
            if (error.number() != ECONNREFUSED) throw;
            ::unlink(entry.path().c_str());  // its spawner has gone
        }
    }
    return found;
}

Fd listen_for_heirs(const control::Home& home, char letter) {
    for (unsigned number = 1;; ++number) {
        const std::string path = home.socket(letter + std::string(word) + std::to_string(number));
        if (::access(path.c_str(), F_OK) != 0) return listen_packets(path, 0600);
    }
}

}  // namespace relais::start
