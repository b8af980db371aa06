// The server of qmail-metrics: HTTP, one request a connection, answered from the pages at once. Whoever is
// slow, or says too much, loses his connection and holds up nobody.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "control/home.h"
#include "metrics/request.h"

namespace relais::metrics {

struct ServerLimits {
    std::size_t clients = 64;               // at once; one more ends the oldest
    std::chrono::milliseconds time{10000};  // for a connection as a whole
};

class Server {
  public:
    // listening: stream sockets, borrowed as the loop is.
    Server(EventLoop& loop, const std::vector<int>& listening, control::Home home, ServerLimits limits = {});
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

  private:
    using ClientId = std::uint64_t;
    struct Client {
        Fd fd;
        std::string input{};
        std::string output{};
        EventLoop::TimerId timer = 0;
    };

    void accept_clients(int listening);
    void handle(ClientId id, std::uint32_t events);
    // False if the connection has ended.
    bool read(Client& client);
    std::string answer(const Request& request);
    std::string counters(Form form);
    void close_client(ClientId id);

    EventLoop& loop_;
    control::Home home_;
    ServerLimits limits_;
    std::map<ClientId, Client> clients_;  // the oldest first
    ClientId next_client_ = 1;
    std::string logged_;  // what was in the way when that was last said
};

}  // namespace relais::metrics
