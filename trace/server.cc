#include "trace/server.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/accept.h"
#include "base/error.h"
#include "base/program.h"
#include "trace/protocol.h"

namespace relais::trace {
namespace {

constexpr std::size_t packets_at_once = 16;
constexpr std::chrono::milliseconds commit_pause{500};
constexpr std::chrono::minutes trouble_pause{1};
constexpr std::array<std::string_view, 6> kinds_of_smtpd = {"accept",  "verified",  "refuse",
                                                            "suspect", "forwarded", "milters"};

}  // namespace

bool may_tell(Door door, std::string_view kind) {
    const bool of_smtpd =
        std::find(kinds_of_smtpd.begin(), kinds_of_smtpd.end(), kind) != kinds_of_smtpd.end();
    return of_smtpd == (door == Door::smtp);
}

Server::Server(EventLoop& loop, Doors doors, Store& store, std::size_t clients)
    : loop_(loop),
      doors_(doors),
      store_(store),
      most_clients_(clients),
      packets_(packet_limit, packets_at_once) {
    for (const auto& [socket, door] :
         {std::pair(doors.smtp, Door::smtp), std::pair(doors.send, Door::send)}) {
        set_nonblocking(socket, true);
        loop_.add(socket, EPOLLIN,
                  [this, socket = socket, door = door](std::uint32_t) { accept_clients(socket, door); });
    }
}

void Server::accept_clients(int listening, Door door) {
    accepting_ = accept_waiting(
        listening, [this] { return clients_.size() < most_clients_; },
        [this, door](Fd fd) {
            const int number = fd.get();
            loop_.add(number, EPOLLIN, [this, number](std::uint32_t) { handle(number); });
            clients_.emplace(number, Client{std::move(fd), door});
        });
    if (accepting_) return;
    for (const int socket : {doors_.smtp, doors_.send}) loop_.change(socket, 0);
}

void Server::handle(int fd) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) return;
    const Door door = found->second.door;
    bool broken = false;
    guarded([&] {
        for (const PacketReader::Packet& packet : packets_.read_now(fd)) take(door, packet.data);
        broken = packets_.closed();
    });
    if (broken) close_client(fd);
}

void Server::take(Door door, std::string_view packet) {
    const auto records = decode(packet);
    if (!records) throw Error(Reaction::temporary, "a packet that makes no sense is left out");
    for (const Record& record : *records)
        if (may_tell(door, record.kind)) store_.add(record);
    commit_later();
}

void Server::commit_later() {
    if (std::exchange(commit_planned_, true)) return;
    loop_.after(commit_pause, [this] {
        commit_planned_ = false;
        guarded([this] { store_.commit(); });
    });
}

void Server::close_client(int fd) {
    loop_.remove(fd);
    clients_.erase(fd);
    if (std::exchange(accepting_, true)) return;
    for (const int socket : {doors_.smtp, doors_.send}) loop_.change(socket, EPOLLIN);
}

// A full disk costs what it has no room for, and a line a minute.
template <class Work>
void Server::guarded(const Work& work) {
    try {
        work();
    } catch (const Error& error) {
        if (trouble_logged_ != Clock::time_point{} && Clock::now() < trouble_logged_ + trouble_pause) return;
        trouble_logged_ = Clock::now();
        log_line(std::string("alert: ") + error.what());
    }
}

}  // namespace relais::trace
