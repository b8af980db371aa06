// The server of counts/protocol.h: many clients, each question answered at once from memory; now and then the
// memory goes into a file, which the next start reads. Who is held has another one, and is in it before
// that is answered.
#pragma once

#include <sys/types.h>

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
    // listening: a stream socket, borrowed. directory: of the files; what is wrong with them is logged, and
    // counting goes on.
    CountServer(EventLoop& loop, int listening, std::string directory, ServerLimits limits = {});
    CountServer(const CountServer&) = delete;
    CountServer& operator=(const CountServer&) = delete;

    void save();

  private:
    using ClientId = std::uint64_t;
    struct Client {
        Fd fd;
        std::string input;
        std::string output;
        uid_t uid;
    };

    void load();
    // durable: before a power cut, too. Questions wait meanwhile.
    void save_counts(bool durable);
    void save_held();
    void save_again_later();
    void accept_clients();
    void handle(ClientId id, std::uint32_t events);
    // False if it has gone, or broke the form.
    bool exchange(Client& client, std::uint32_t events);
    // False, and the log says so once, for what only administrators may ask.
    bool may_ask(const Client& client, const Question& question);
    std::string answer(const Question& question);

    EventLoop& loop_;
    int listening_;
    std::string directory_;
    ServerLimits limits_;
    Memory memory_;
    std::unordered_map<ClientId, Client> clients_;
    ClientId next_client_ = 1;
    bool accepting_ = true;
    bool save_failed_ = false;
    bool save_held_failed_ = false;
    bool refusal_was_logged_ = false;
};

}  // namespace relais::counts
