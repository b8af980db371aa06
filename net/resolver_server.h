// The server of net/resolver_protocol.h: many clients, some questions at a time for each, every question with
// a deadline. It knows libunbound only through Lookup.
#pragma once

#include <sys/types.h>

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "control/watched.h"
#include "net/lookup.h"

namespace relais::net {

struct ResolverLimits {
    std::size_t clients = 4000;   // beyond it the one that has been quiet longest is closed
    std::size_t questions = 900;  // under way at once; further ones wait, within their deadline
    // Clients of one user who is none of ours: with 16 questions each, less than half of all.
    std::size_t of_other_user = 25;
    std::set<uid_t> ours{};  // root's is always
};

class ResolverServer {
  public:
    // listening: a stream socket, borrowed. Throws Error if the configuration cannot be used.
    ResolverServer(EventLoop& loop, int listening, control::Home home, ResolverLimits limits);
    ~ResolverServer();

  private:
    using ClientId = std::uint64_t;
    using QuestionId = std::uint64_t;
    // A question that waits for its answer, or for its turn to ask; or one whose answer waits for those
    // before it.
    struct Question {
        QuestionId id;
        std::shared_ptr<Lookup> lookup{};
        int lookup_id = -1;  // -1: answered or not asked
        EventLoop::TimerId timer = 0;
        std::optional<std::string> answer{};
    };
    struct Client {
        Fd fd;
        uid_t uid = 0;
        std::string input;
        std::string output;
        std::deque<Question> questions;  // in the order of their answers
        Clock::time_point active = Clock::now();
    };
    struct Waiting {
        ClientId client;
        QuestionId id;
        DnsQuestion question;
    };

    void accept_clients();
    bool has_too_many(uid_t uid) const;
    void close_quietest();
    void close_client(ClientId id);
    void handle(ClientId id, std::uint32_t events);
    bool read_input(Client& client);
    void take_questions(ClientId id);
    void take_question(ClientId id, const DnsQuestion& question);
    Question* find_question(ClientId client, QuestionId id);
    void start_question(ClientId client, QuestionId id, const DnsQuestion& question);
    void start_waiting();
    // True if it was being asked.
    bool end_question(Question& question);
    void answer(ClientId client, QuestionId id, const DnsAnswer& answer);
    void flush(ClientId id);
    void watch(const Client& client);
    void reload_if_changed();
    void reload();
    void sweep();

    EventLoop& loop_;
    int listening_;
    control::Home home_;
    ResolverLimits limits_;
    std::chrono::seconds timeout_{30};
    control::WatchList watch_;
    Clock::time_point checked_{};
    std::shared_ptr<Lookup> lookup_;
    std::vector<std::shared_ptr<Lookup>> retired_;  // with questions still under way
    std::unordered_map<ClientId, Client> clients_;
    std::unordered_map<uid_t, std::size_t> of_users_;  // how many clients each has
    ClientId next_client_ = 1;
    QuestionId next_question_ = 1;
    std::size_t asking_ = 0;
    std::deque<Waiting> waiting_;
};

}  // namespace relais::net
