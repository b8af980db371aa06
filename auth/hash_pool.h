// Processes that check passwords against hashes, so that qmail-authd itself never waits for one. They get a
// hash and a password through a packet pair, say yes or no, and may do nothing else: no files, no network, no
// privilege.
#pragma once

#include <sys/types.h>

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
    // What a new process does first: gives up privilege. It must not throw.
    using BecomeWorker = std::function<void()>;

    // count processes; at most `waiting_limit` checks wait for one.
    HashPool(EventLoop& loop, std::size_t count, std::size_t waiting_limit, BecomeWorker become_worker);
    ~HashPool();
    HashPool(const HashPool&) = delete;
    HashPool& operator=(const HashPool&) = delete;

    // Calls done later from the loop: unknown if a process died of it. False if too many wait.
    bool check(std::string hash, Secret password, Done done);
    // True if that child was one of ours; another is started in its place.
    bool ended(pid_t pid);

  private:
    struct Job {
        std::string hash;
        Secret password;
        Done done;
    };
    struct Worker {
        pid_t pid = 0;
        Fd channel;
        Done done;  // set while it is busy
    };

    void start(Worker& worker);
    void give_work();
    void send(Worker& worker, const Job& job);
    void on_report(Worker& worker);
    void lose(Worker& worker);

    EventLoop& loop_;
    std::size_t waiting_limit_;
    BecomeWorker become_worker_;
    std::vector<Worker> workers_;
    std::deque<Job> waiting_;
};

}  // namespace relais::auth
