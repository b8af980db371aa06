// The server of sts/protocol.h: many clients, one question at a time for each, answered from the cache or
// when a fetcher has answered. It knows neither DNS nor HTTPS.
//
// Mail to a domain goes without its policy while that cannot be had, so whoever keeps the fetchers busy takes
// it from others. Therefore the last fetcher renews known policies and nothing else; the names below
// one domain have one fetcher at a time; and a domain of which nothing is known has no more time than anybody
// waits for it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "sts/cache.h"
#include "sts/protocol.h"

namespace relais::sts {

struct ServerLimits {
    std::size_t clients = 1000;        // further ones wait in the backlog
    std::size_t jobs = 1000;           // domains that wait for a fetcher; others are as without a policy
    std::size_t jobs_of_one = 100;     // of the names of one domain
    std::size_t failures = 10000;      // remembered
    std::int64_t between_tries = 300;  // seconds, for a domain whose policy could not be had; twice as many
    std::int64_t longest_rest = 3600;  // each time, up to this
    Seconds patience{60};              // for a fetch (RFC 8461, 3.3) of a domain whose policy is known
    Seconds between_refreshes{60};     // looks for what is half over
};

class StsServer {
  public:
    // listening: a stream socket, borrowed. fetchers: packet sockets to processes that run serve_fetches.
    StsServer(EventLoop& loop, int listening, std::vector<Fd> fetchers, Cache& cache,
              ServerLimits limits = {});
    StsServer(const StsServer&) = delete;
    StsServer& operator=(const StsServer&) = delete;

    // Stops the loop when a fetcher has gone.
    bool lost_fetcher() const { return lost_fetcher_; }

  private:
    using ClientId = std::uint64_t;
    struct Client {
        Fd fd;
        std::string input;
        std::string output;
        std::optional<Question> asked{};  // waits for a fetcher
        EventLoop::TimerId timer = 0;
    };
    struct Fetcher {
        Fd fd;
        std::string domain{};  // what it is at; empty: nothing
    };

    void accept_clients();
    void handle(ClientId id, std::uint32_t events);
    bool exchange(ClientId id, std::uint32_t events);
    void close(ClientId id);
    void serve(ClientId id, const Question& question);
    void answer(ClientId id, const Found& found);
    // What is known now; the reason, where that is nothing.
    Found known(const std::string& domain, const std::string& reason);
    bool want(const std::string& domain);
    void give_out();
    void give_out(Fetcher& fetcher, std::deque<std::string>& jobs);
    void on_fetcher(std::size_t number);
    void fetched(const std::string& domain, std::string_view reply);
    void note_failure(const std::string& domain, const std::string& reason);
    void refresh();

    EventLoop& loop_;
    int listening_;
    std::vector<Fetcher> fetchers_;
    Cache& cache_;
    ServerLimits limits_;
    std::unordered_map<ClientId, Client> clients_;
    ClientId next_client_ = 1;
    bool accepting_ = true;
    std::deque<std::string> jobs_;      // of which no policy is known
    std::deque<std::string> renewals_;  // the others
    struct Failure {
        std::int64_t until;
        std::int64_t rest;
        std::string reason;
    };
    std::map<std::string, Failure> failures_;
    bool lost_fetcher_ = false;
};

}  // namespace relais::sts
