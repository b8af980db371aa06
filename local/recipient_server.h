// The half of qmail-rcptd that speaks with clients (local/recipient_protocol.h), as qmailp: the rules of
// qmail-send and the look-up of qmail-lspawn, asked before a message is there. What only a home can tell it
// asks the other half (local/home_look.h), and remembers for a minute.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/packet_batch.h"
#include "base/packet_queue.h"
#include "control/directory_watch.h"
#include "control/home.h"
#include "control/watched.h"
#include "local/home_look.h"
#include "local/recipient_protocol.h"
#include "local/srs.h"
#include "local/user_database.h"
#include "send/rewrite.h"

namespace relais::local {

struct RecipientLimits {
    std::size_t clients = 2000;      // further ones wait in the backlog
    std::size_t remembered = 20000;  // answers of homes
    Seconds memory{60};
};

class RecipientServer {
  public:
    // listening: a stream socket, borrowed; looks: the packet socket to the other half, borrowed. The loop
    // stops when the other half has gone. Throws Error.
    RecipientServer(EventLoop& loop, int listening, int looks, const control::Home& home,
                    RecipientLimits limits);
    RecipientServer(const RecipientServer&) = delete;
    RecipientServer& operator=(const RecipientServer&) = delete;

  private:
    using ClientId = std::uint64_t;
    struct Client {
        Fd fd;
        std::string input;
        std::string key;  // of remembered_, for the answer it waits for; "" while it waits for none
    };
    struct Remembered {
        RecipientAnswer answer;
        Clock::time_point until;
    };

    void accept_clients();
    void handle(ClientId id, std::uint32_t events);
    void next_question(ClientId id);
    void judge(ClientId id, const std::string& address);
    void ask_home(ClientId id, const User& user, bool assigned, std::string_view local);
    void on_looks(std::uint32_t events);
    void reply(ClientId id, RecipientAnswer answer);
    void close_client(ClientId id);
    void remember(const std::string& key, RecipientAnswer answer);

    EventLoop& loop_;
    int listening_;
    int looks_socket_;
    control::Home home_;
    RecipientLimits limits_;
    control::DirectoryWatch watch_;
    control::Watched<send::RewriteRules> rules_;
    control::Watched<Srs> srs_;
    UserFinder finder_;
    PacketQueue questions_;
    PacketReader answers_;
    std::unordered_map<ClientId, Client> clients_;
    std::unordered_map<std::string, Remembered> remembered_;
    ClientId next_client_ = 1;
    bool accepting_ = true;
};

}  // namespace relais::local
