// qmail-queued takes messages into the queue: the only program that creates them. qmail-start runs it, with
// three listening sockets (network, bounce, submit) and the hint pipe on the descriptors of
// start/descriptors.h.
//
// Trust: runs as qmailq, without network. What comes over its sockets is hostile: anybody may connect to
// submit. Who a peer is, the kernel says. A pool of processes serves network (control/concurrencyqueue, 32)
// and another bounce; the submit socket, and large messages, get a process per connection
// (control/concurrencysubmit bounds each user, 20).
//
// Promise: an answer "accepted" means that file and directory are synced. See docs/internals.md.
//
// When the queue cannot be used (read-only after a disk error, its lock not writable) every client is told
// so for a second; then it ends with 111, and qmail-start has the next one try.
//
// SIGTERM: no new submissions, the running ones end within 20 seconds. Exit codes: 0 after SIGTERM, 100 wrong
// set-up, 111 anything that may pass.
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "base/deadline.h"
#include "base/error.h"
#include "base/program.h"
#include "control/cages.h"
#include "control/home.h"
#include "control/owners.h"
#include "metrics/count.h"
#include "queue/queued.h"
#include "queue/recovery.h"
#include "queue/refusal.h"
#include "queue/store.h"
#include "start/descriptors.h"

namespace {

using namespace relais;

// How long clients are refused when the queue cannot be used, before that is tried again.
constexpr Seconds refusing_time{1};

// Held by every process of qmail-queued: the next one must not start before the last of these is gone.
Fd take_lock(const control::Home& home) {
    const std::string path = queue::queued_lock_path(home);
    const auto open = [&] {
        return Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660));
    };
    Fd lock = open();
    if (!lock && errno == ENOENT && queue::make_queue_directory(path.substr(0, path.rfind('/'))))
        lock = open();
    if (!lock) throw_errno("open", path);
    const Deadline deadline = Deadline::in(Seconds(10));
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR && (errno != EWOULDBLOCK || deadline.passed())) throw_errno("lock", path);
        ::usleep(20000);
    }
    return lock;
}

// The sockets are qmail-start's: without us clients would wait in their backlogs for hours.
void refuse_all(const queue::QueuedDescriptors& descriptors) {
    const int listeners[] = {descriptors.network, descriptors.bounce, descriptors.submit};
    queue::refuse_for(listeners, queue::SubmitCode::cannot_create, Deadline::in(refusing_time));
}

int work(const Arguments&) {
    const control::Home home = control::Home::from_environment();
    const control::Owners owners = control::Owners::read(home);
    control::become(owners, control::Role::qmailq);
    ::umask(007);
    metrics::open_page(home, control::Role::qmailq);

    control::enter(control::queued_cage, home);
    const queue::QueuedDescriptors descriptors{start::queued_network_socket, start::queued_bounce_socket,
                                               start::queued_submit_socket, start::queued_hint_pipe};
    Fd lock;
    std::optional<queue::Queued> queued;
    try {
        lock = take_lock(home);
        queued.emplace(home, owners, queue::QueuedLimits::read(home), descriptors);
    } catch (const Error& error) {
        // Who holds the lock serves those clients, or ends soon.
        if (error.number() != EWOULDBLOCK) refuse_all(descriptors);
        throw;
    }
    queued->run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("qmail-queued", argc, argv, work);
}
