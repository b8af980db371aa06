// The server of auth/protocol.h: many clients, one request each. It never waits: hashes are checked by the
// processes of HashPool, PAM, programs and Dovecot are asked by a process of its own for each login, which
// the other half of qmail-authd starts (auth/starter.h), and the answer to a failure is held back by a timer.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "auth/account.h"
#include "auth/hash_pool.h"
#include "auth/limits.h"
#include "auth/lines.h"
#include "auth/login_cache.h"
#include "auth/protocol.h"
#include "auth/question.h"
#include "auth/starter.h"
#include "base/cdb.h"
#include "base/event_loop.h"
#include "control/control_file.h"
#include "control/watched.h"

namespace relais::auth {

struct ServerSettings {
    std::string default_domain;
    std::chrono::seconds cache_lifetime{60};
    HelperSettings helpers;             // who is asked about logins that users/passwd does not know
    std::size_t clients = 1000;         // further ones wait in the backlog
    std::size_t helper_processes = 16;  // at once
    std::size_t watchers = 100;         // further ones have their answer and are closed
    Lines::Limits waiting{};            // logins that wait for their turn
};

class Server {
  public:
    // Listening stream sockets, borrowed, as is the rest.
    struct Doors {
        int login;
        int smtp;
    };
    // starter: start_helper asks over it. Throws Error.
    Server(EventLoop& loop, Doors doors, control::Home home, ServerSettings settings, HashPool& hashes,
           FamiliarNetworks familiar, int starter);

  private:
    using ClientId = std::uint64_t;
    struct Client {
        Fd fd;
        bool smtp = false;  // by which door it came
        std::array<char, 2> head{};
        Secret input;          // as long as head says
        std::size_t have = 0;  // of both
        bool asked = false;    // the request is there
        bool gone = false;     // nobody waits for the answer
        bool watches = false;  // has its answer, which holds as long as the connection
        EventLoop::TimerId timer = 0;
        Request request;   // views into input
        std::string name;  // canonical, or "" if the login name cannot be one
        Asker asker;
        std::string output;
    };

    void accept_clients(int door);
    void take_client(int door, Fd fd);
    void open_doors(bool open);
    void handle(ClientId id, std::uint32_t events);
    void read_request(ClientId id);
    void flush(ClientId id);
    void close_client(ClientId id);

    void refresh();
    void refresh_database();
    void refresh_trusted();
    void close_watchers();
    std::optional<Account> find_account(const std::string& name) const;
    void admit(ClientId id);
    void judge(ClientId id);
    void check_hash(ClientId id, std::optional<Account> account);
    std::optional<Answer> known_login(const Client& client) const;
    std::string offers(bool smtp) const;
    Answer find_salt(const Client& client) const;
    void check_proof(ClientId id, const std::optional<Account>& account);
    Helper helper_for(const Client& client) const;
    void ask_helper(ClientId id);
    Question question_of(const Client& client) const;
    void start_helpers();
    void read_helper(int fd);
    void take_help(ClientId id, Answer result);
    void accept_login(ClientId id, const Answer& right);
    void refuse(ClientId id, const std::string& why);
    void turn_away(ClientId id);
    void answer(ClientId id, const Answer& answer);
    void leave_lines(ClientId id);

    EventLoop& loop_;
    Doors doors_;
    control::Home home_;
    ServerSettings settings_;
    HashPool& hashes_;
    control::ChangeWatch watch_;
    std::optional<CdbReader> database_;
    std::string no_account_hash_;  // checked for those who have none, so that it takes as long
    LoginCache cache_;
    int starter_;
    control::Watched<opensmtp::NetworkSet> trusted_;
    std::uint64_t trusted_version_ = 0;
    std::vector<std::string> trusted_wrong_;  // as it was logged
    LoginLimits limits_;
    Lines lines_;
    bool forgets_logged_ = false;  // that successes cannot be kept
    std::unordered_map<ClientId, Client> clients_;
    std::size_t watchers_ = 0;
    ClientId next_client_ = 1;
    struct HelperProcess {
        ClientId client;
        Fd pipe;
        std::string output;
    };
    std::map<int, HelperProcess> helpers_;  // by pipe
    std::deque<ClientId> waiting_for_helper_;
};

Answer answer_of(const Account& account);
// As it may stand in the log.
std::string shown(std::string_view text);

}  // namespace relais::auth
