// The server of trace/protocol.h: many connections, nothing is answered; what came is committed twice a
// second.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/packet_batch.h"
#include "trace/store.h"

namespace relais::trace {

// Who may tell of what: nobody who has broken into qmail-smtpd makes up deliveries.
enum class Door { smtp, send };
bool may_tell(Door door, std::string_view kind);

class Server {
  public:
    struct Doors {
        int smtp;
        int send;
    };
    // Listening packet sockets, borrowed as the rest is. clients: of both together; some places are
    // qmail-send's alone.
    Server(EventLoop& loop, Doors doors, Store& store, std::size_t clients);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

  private:
    struct Client {
        Fd fd;
        Door door;
    };

    struct Entrance {
        int listening;
        std::size_t most;
        std::size_t clients = 0;
        bool accepting = true;
    };

    Entrance& entrance(Door door) { return entrances_[static_cast<std::size_t>(door)]; }
    void accept_clients(Door door);
    void handle(int fd);
    void take(Door door, std::vector<Record> records);
    void close_client(int fd);
    void commit_later();
    template <class Work>
    void guarded(const Work& work);

    EventLoop& loop_;
    Store& store_;
    std::array<Entrance, 2> entrances_;  // by door
    std::unordered_map<int, Client> clients_;
    PacketReader packets_;
    bool commit_planned_ = false;
    Clock::time_point trouble_logged_{};
};

}  // namespace relais::trace
