// The server of auth/protocol.h: many clients, one request each. It never waits: hashes are checked by the processes of HashPool,
// PAM is asked by a process of its own for each login, and the answer to a failure is held back by a timer.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "auth/account.h"
#include "auth/failures.h"
#include "auth/hash_pool.h"
#include "auth/login_cache.h"
#include "auth/pam.h"
#include "auth/protocol.h"
#include "base/cdb.h"
#include "base/event_loop.h"
#include "control/control_file.h"

namespace relais::auth {

struct ServerSettings {
    std::string default_domain;
    std::chrono::seconds cache_lifetime{60};
    PamSettings pam;
    std::size_t clients = 1000;        // further ones wait in the backlog
    std::size_t pam_processes = 8;     // at once
    std::size_t waiting_for_one = 64;  // logins of one failing address that wait for their turn
};

class Server {
  public:
    // listening: a stream socket, borrowed, as are the others. Throws Error.
    Server(EventLoop& loop, int listening, control::Home home, ServerSettings settings, HashPool& hashes);

  private:
    using ClientId = std::uint64_t;
    struct Client {
        Fd fd;
        Secret input{2 + request_limit};
        std::size_t have = 0;
        bool asked = false;     // the request is there
        bool gone = false;      // nobody waits for the answer
        bool has_turn = false;  // holds the line of its address
        EventLoop::TimerId timer = 0;
        Request request;     // views into input
        std::string name;    // canonical, or "" if the login name cannot be one
        std::string source;  // whose failures count
        std::string output;
    };
    // Logins of an address that has failed too often.
    struct Line {
        bool busy = false;
        std::deque<ClientId> waiting;
    };

    void accept_clients();
    void handle(ClientId id, std::uint32_t events);
    void read_request(ClientId id);
    void flush(ClientId id);
    void close_client(ClientId id);

    void refresh_database();
    std::optional<Account> find_account(const std::string& name) const;
    void admit(ClientId id);
    void judge(ClientId id);
    void check_hash(ClientId id, std::optional<Account> account);
    bool belongs_to_system(const Client& client) const;
    void start_pam();
    void read_pam(int fd);
    void accept_login(ClientId id, const Account& account);
    void refuse(ClientId id, const std::string& why);
    void answer(ClientId id, const Answer& answer);
    void give_turn(const std::string& source);

    EventLoop& loop_;
    int listening_;
    control::Home home_;
    ServerSettings settings_;
    HashPool& hashes_;
    control::ChangeWatch watch_;
    std::optional<CdbReader> database_;
    std::string no_account_hash_;  // checked for those who have none, so that it takes as long
    LoginCache cache_;
    Failures failures_;
    std::unordered_map<std::string, Line> lines_;
    std::unordered_map<ClientId, Client> clients_;
    ClientId next_client_ = 1;
    struct PamProcess {
        ClientId client;
        Fd pipe;
        std::string output;
    };
    std::map<int, PamProcess> pam_;  // by pipe
    std::deque<ClientId> waiting_for_pam_;
};

}  // namespace relais::auth
