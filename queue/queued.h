// The parent of qmail-queued's processes: keeps the pool full, forks a process for each connection that may
// be slow, bounds what each user may hold, clears up after the dead and moves the checkpoint.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/unix_socket.h"
#include "control/home.h"
#include "control/owners.h"
#include "control/setting.h"
#include "queue/drop_intake.h"
#include "queue/recovery.h"
#include "queue/worker.h"

namespace relais::queue {

struct QueuedLimits {
    std::size_t network_workers = control::default_of<"concurrencyqueue">();
    std::size_t bounce_workers = 4;
    // Connections to the submit socket at once.
    std::size_t per_user = control::default_of<"concurrencysubmit">();
    std::size_t submissions = 200;
    std::size_t large = 200;
    // Processes that take in what lies in the drop directory.
    std::size_t dropped = 4;

    static QueuedLimits read(const control::Home& home);
    std::size_t slots() const { return network_workers + bounce_workers + submissions + large + dropped; }
};

// Listening sockets and the write end of the hint pipe, borrowed.
struct QueuedDescriptors {
    int network;
    int bounce;
    int submit;
    int hints;
};

class Queued {
  public:
    // Mends what an earlier qmail-queued left incomplete. The lock is held. Throws Error.
    Queued(const control::Home& home, const control::Owners& owners, const QueuedLimits& limits,
           const QueuedDescriptors& descriptors);
    // Serves until SIGTERM; then lets the running submissions end, within bounds. Throws Error.
    void run();

  private:
    enum class Kind { network, bounce, submission, large, dropped };
    struct Child {
        Kind kind;
        std::size_t slot;
        uid_t uid;
        Clock::time_point born;
        std::string dropped{};  // its name in the drop directory
    };
    struct Waiting {
        Fd connection;
        uid_t uid;
    };

    void start_pool_worker(Kind kind);
    void start_alone(Kind kind, Door door, Fd connection, uid_t uid, std::string_view received);
    // Forks; returns in the child as in fork. Takes the slot from the free ones.
    bool fork_child(Kind kind, uid_t uid, std::size_t& slot);
    void accept_submissions();
    void rest();
    void accept_large();
    void admit_waiting();
    bool has_room_for(uid_t uid) const;
    // Programs left them there while nobody listened; who has just failed to reach us may do so any time.
    void look_into_drop();
    void take_dropped();
    void reap();
    void mourn(pid_t pid, const Child& child, int status);
    // There may be messages whose hint was never sent.
    void ask_for_scan() const;
    void stop();
    void move_checkpoint();
    std::size_t alive(Kind kind) const;

    const control::Home home_;
    const control::Owners& owners_;
    const QueuedLimits limits_;
    const QueuedDescriptors descriptors_;
    const std::vector<std::string> made_;  // directories that were missing
    MessageDirectories directories_;
    std::optional<MessageId> checkpoint_;
    Recovery recovery_;
    Ledger ledger_;
    Service service_;
    EventLoop loop_;
    std::pair<Fd, Fd> handover_;
    std::vector<std::size_t> free_slots_;
    std::map<pid_t, Child> children_;
    std::map<uid_t, std::size_t> users_;  // connections to the submit socket being served
    std::deque<Waiting> waiting_;
    DropDirectory drop_;
    std::deque<Dropped> dropped_;
    bool look_planned_ = false;  // into the drop directory, soon
    std::map<uid_t, Clock::time_point>
        unwhole_{};                  // who has put something there that is not whole: until then
    std::set<std::string> stuck_{};  // names in the drop directory that cannot be removed
    bool stopping_ = false;
};

}  // namespace relais::queue
