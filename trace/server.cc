#include "trace/server.h"

#include <sys/socket.h>

#include <algorithm>

#include "base/accept.h"
#include "base/error.h"
#include "base/program.h"
#include "base/time.h"
#include "trace/protocol.h"

namespace relais::trace {
namespace {

constexpr std::size_t packets_at_once = 16;
// It has one connection, and a generation that ends another.
constexpr std::size_t places_of_send = 16;
constexpr std::chrono::milliseconds commit_pause{500};
constexpr std::chrono::minutes trouble_pause{1};
constexpr std::array<std::string_view, 7> kinds_of_smtpd = {"accept",    "verified", "refuse", "suspect",
                                                            "forwarded", "milters",  "dmarc"};

}  // namespace

bool may_tell(Door door, std::string_view kind) {
    const bool of_smtpd =
        std::find(kinds_of_smtpd.begin(), kinds_of_smtpd.end(), kind) != kinds_of_smtpd.end();
    return of_smtpd == (door == Door::smtp);
}

Server::Server(EventLoop& loop, Doors doors, Store& store, std::size_t clients)
    : loop_(loop),
      store_(store),
      entrances_{{{doors.smtp, clients - std::min(clients / 2, places_of_send)},
                  {doors.send, std::min(clients / 2, places_of_send)}}},
      packets_(packet_limit, packets_at_once) {
    for (const Door door : {Door::smtp, Door::send}) {
        const int socket = entrance(door).listening;
        set_nonblocking(socket, true);
        loop_.add(socket, EPOLLIN, [this, door](std::uint32_t) { accept_clients(door); });
    }
}

void Server::accept_clients(Door door) {
    Entrance& here = entrance(door);
    here.accepting = accept_waiting(
        here.listening, [&here] { return here.clients < here.most; },
        [this, &here, door](Fd fd) {
            const int number = fd.get();
            loop_.add(number, EPOLLIN, [this, number](std::uint32_t) { handle(number); });
            clients_.emplace(number, Client{std::move(fd), door});
            ++here.clients;
        });
    if (!here.accepting) loop_.change(here.listening, 0);
}

void Server::handle(int fd) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) return;
    const Door door = found->second.door;
    bool broken = false;
    guarded([&] {
        for (const PacketReader::Packet& packet : packets_.read_now(fd)) {
            auto records = decode(packet.data);
            broken = !records;
            if (broken) throw Error(Reaction::temporary, "a packet that makes no sense ends its connection");
            take(door, *std::move(records));
        }
        broken = packets_.closed();
    });
    if (broken) close_client(fd);
}

void Server::take(Door door, std::vector<Record> records) {
    // A time that has not come makes no file, and so removes none as too old.
    const std::uint64_t now = now_microseconds();
    for (Record& record : records) {
        record.time = std::min(record.time, now);
        if (may_tell(door, record.kind)) store_.add(record);
    }
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
    Entrance& here = entrance(clients_.at(fd).door);
    loop_.remove(fd);
    clients_.erase(fd);
    --here.clients;
    if (!std::exchange(here.accepting, true)) loop_.change(here.listening, EPOLLIN);
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
