// Processes that check passwords against hashes, so that qmail-authd itself never waits for one. They get a
// hash and a password through a packet pair, say yes or no, and may do nothing else: no files, no network, no
// privilege. auth/starter.h starts them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "sasl/secret.h"

namespace relais::auth {

enum class HashResult { fits, wrong, unknown };

class HashPool {
  public:
    using Done = std::function<void(HashResult)>;
    // Starts a process that calls serve_checks with that end of its channel. False if it cannot be started.
    using Start = std::function<bool(int channel)>;

    // count processes; at most `waiting_limit` checks wait for one.
    HashPool(EventLoop& loop, std::size_t count, std::size_t waiting_limit, Start start_worker);
    ~HashPool();
    HashPool(const HashPool&) = delete;
    HashPool& operator=(const HashPool&) = delete;

    // Calls done later from the loop: unknown if a process died of it. False if too many wait.
    bool check(std::string hash, Secret password, Done done);

  private:
    struct Job {
        std::string hash;
        Secret password;
        Done done;
    };
    struct Worker {
        Fd channel;
        Done done;  // set while it is busy
    };

    void start(Worker& worker);
    void give_work();
    void send(Worker& worker, const Job& job);
    void on_report(Worker& worker);
    void lose(Worker& worker);
    void start_later(Worker& worker);

    EventLoop& loop_;
    std::size_t waiting_limit_;
    Start start_;
    std::vector<Worker> workers_;
    std::deque<Job> waiting_;
};

// What such a process does, until the other end of the channel is closed.
[[noreturn]] void serve_checks(int channel);

}  // namespace relais::auth
