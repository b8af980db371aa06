// The server of counts/protocol.h: many clients, each question answered at once from memory; now and then the
// memory goes into a file, which the next start reads.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/event_loop.h"
#include "base/fd.h"
#include "counts/memory.h"

namespace relais::counts {

struct ServerLimits {
    std::size_t clients = 2000;  // further ones wait in the backlog
    Seconds between_saves{60};
    MemoryLimits memory{};
};

class CountServer {
  public:
    // listening: a stream socket, borrowed. path: of the file; what is wrong with it is logged, and counting
    // goes on.
    CountServer(EventLoop& loop, int listening, std::string path, ServerLimits limits = {});
    CountServer(const CountServer&) = delete;
    CountServer& operator=(const CountServer&) = delete;

    void save();

  private:
    using ClientId = std::uint64_t;
    struct Client {
        Fd fd;
        std::string input;
        std::string output;
    };

    void load();
    void save_again_later();
    void accept_clients();
    void handle(ClientId id, std::uint32_t events);
    // False if it has gone, or broke the form.
    bool exchange(Client& client, std::uint32_t events);
    std::string answer(const Question& question);

    EventLoop& loop_;
    int listening_;
    std::string path_;
    ServerLimits limits_;
    Memory memory_;
    std::unordered_map<ClientId, Client> clients_;
    ClientId next_client_ = 1;
    bool accepting_ = true;
    bool save_failed_ = false;
};

}  // namespace relais::counts
