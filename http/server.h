// A server of HTTP for few clients of an administrator's: one request a connection, answered at once or
// later. Whoever is slow, or says too much, loses his connection and holds up nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "http/budgets.h"
#include "http/request.h"

namespace relais::http {

struct ServerLimits {
    std::size_t clients = 64;               // at once; one more ends the oldest
    std::chrono::milliseconds time{10000};  // for a request to come, and again for its answer to be read
    std::chrono::milliseconds answer_time{10000};  // for the answer to be made
    std::size_t body = 0;                          // octets of a body; 0: requests have none
    std::chrono::milliseconds stream_time{10000};  // for an answer that goes on
    unsigned per_second = 0;  // requests of one client that are served, with twice as many at once; 0: all
};

class Server {
  public:
    using Id = std::uint64_t;
    // Is called once for each request that is whole; it must not outlive the call. The handler, or somebody
    // later, answers.
    using Handler = std::function<void(Id, const Request&)>;
    struct Name {
        std::string client;   // who it is
        std::string counted;  // whose requests count together
    };
    // peer: its address, or "uid N" at a unix socket.
    using NameClient = std::function<Name(std::string_view peer, const Request&)>;

    // listening: stream sockets, borrowed as the loop is. Without name_client the peer is the client.
    Server(EventLoop& loop, const std::vector<int>& listening, Handler handler, ServerLimits limits = {},
           NameClient name_client = {});
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Sends the answer and ends the connection. Nothing happens if the client has gone. A stream stays until
    // its time is over.
    void answer(Id id, const Response& response);
    // Whether the client has one.
    bool streams(Id id) const;
    // More of a stream. A client that has not read what came before loses it. False if there is none any
    // more.
    bool push(Id id, std::string_view text);
    // Who it is; "" if it has gone.
    std::string client(Id id) const;

  private:
    struct Client {
        Fd fd;
        std::string input{};
        std::string output{};
        std::string name{};
        EventLoop::TimerId timer = 0;
        enum class State { asking, waiting, answered, streaming } state = State::asking;
        bool head = false;
    };

    void accept_clients(int listening);
    void take_client(Fd fd);
    void handle(Id id, std::uint32_t events);
    // False if the connection has ended.
    bool read(Client& client);
    void serve(Id id);
    void send(Id id);
    void send_stream(Id id);
    void limit_time(Id id, std::chrono::milliseconds time);
    void close_client(Id id);

    EventLoop& loop_;
    Handler handler_;
    ServerLimits limits_;
    std::map<Id, Client> clients_;  // the oldest first
    Id next_client_ = 1;
    NameClient name_client_;
    Budgets budgets_;
};

}  // namespace relais::http
