#include "queue/queued.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/io.h"
#include "base/program.h"
#include "base/time.h"
#include "control/setting.h"
#include "queue/refusal.h"

namespace relais::queue {
namespace {

constexpr Seconds checkpoint_interval{10};
constexpr Seconds ending_patience{20};
constexpr Seconds healthy_life{1};
// While more lies in drop/ than one look sees.
constexpr std::chrono::milliseconds between_looks{50};
// Connections that wait for a place: in all, and of one user.
constexpr std::size_t waiting_limit = 400;
constexpr std::size_t waiting_per_user = 100;
constexpr int accepts_at_a_time = 32;
constexpr std::size_t drop_names_at_a_time = 2000;
// Names that cannot be removed: beyond that the drop directory is left alone.
constexpr std::size_t stuck_limit = 10'000;

// Above everything on disk, so that ids stay in order across a restart. A queue that lived in the future (a
// clock that was wrong) must not carry its time on for ever.
MessageId first_id(MessageId checkpoint, MessageId highest) {
    constexpr MessageId hour = MessageId{3600} * 1000000;
    const MessageId last = std::max(checkpoint, highest);
    const MessageId now = now_microseconds();
    return last > now + hour ? now : last;
}

}  // namespace

QueuedLimits QueuedLimits::read(const control::Home& home) {
    QueuedLimits limits;
    limits.network_workers = control::read<"concurrencyqueue">(home);
    limits.per_user = std::min(control::read<"concurrencysubmit">(home), limits.submissions);
    return limits;
}

Queued::Queued(const control::Home& home, const control::Owners& owners, const QueuedLimits& limits,
               const QueuedDescriptors& descriptors)
    : home_(home),
      owners_(owners),
      limits_(limits),
      descriptors_(descriptors),
      made_(make_missing_directories(home)),
      directories_(home),
      checkpoint_(read_checkpoint(home)),
      recovery_(recover_messages(home, checkpoint_)),
      ledger_(limits.slots(), first_id(checkpoint_.value_or(0), recovery_.highest)),
      service_{home_, owners_, directories_, ledger_, descriptors_.hints},
      handover_(make_packet_pair()),
      drop_(home) {
    if (recovery_.removed > 0)
        log_line("removed " + std::to_string(recovery_.removed) + " incomplete messages, never acknowledged");
    if (const std::uint64_t texts = remove_orphan_bounces(home, made_); texts > 0)
        log_line("removed " + std::to_string(texts) + " bounce texts whose messages are gone");
    if (recovery_.left_behind != UINT64_MAX) ledger_.leave_behind(recovery_.left_behind);
    for (std::size_t slot = limits.slots(); slot > 0; --slot) free_slots_.push_back(slot - 1);
    // Before the first message: where the clock was set back, new ids are below the old checkpoint.
    move_checkpoint();
}

void Queued::run() {
    // An earlier qmail-queued that refused has left them non-blocking; the pool's processes wait in accept.
    set_nonblocking(descriptors_.network, false);
    set_nonblocking(descriptors_.bounce, false);
    set_nonblocking(descriptors_.submit, true);
    set_nonblocking(descriptors_.hints, true);
    set_nonblocking(handover_.first.get(), true);
    if (recovery_.kept > 0) ask_for_scan();
    loop_.on_signal(SIGTERM, [this] { stop(); });
    loop_.on_signal(SIGCHLD, [this] { reap(); });
    for (std::size_t i = 0; i < limits_.network_workers; ++i) start_pool_worker(Kind::network);
    for (std::size_t i = 0; i < limits_.bounce_workers; ++i) start_pool_worker(Kind::bounce);
    loop_.add(descriptors_.submit, EPOLLIN, [this](std::uint32_t) { accept_submissions(); });
    loop_.add(handover_.first.get(), EPOLLIN, [this](std::uint32_t) { accept_large(); });
    std::function<void()> tick = [&] {
        move_checkpoint();
        look_into_drop();
        loop_.after(checkpoint_interval, tick);
    };
    loop_.after(checkpoint_interval, tick);
    look_into_drop();
    loop_.run();
    move_checkpoint();
}

bool Queued::fork_child(Kind kind, uid_t uid, std::size_t& slot) {
    slot = free_slots_.back();
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
        log_line("warning: unable to fork: " + errno_text(errno));
        return false;
    }
    if (pid > 0) {
        free_slots_.pop_back();
        children_[pid] = {kind, slot, uid, Clock::now()};
        return false;
    }
    // Without its parent it would hold the lock, and nobody would clear up after it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(0);
    EventLoop::restore_signals();
    waiting_.clear();
    if (kind != Kind::dropped) dropped_.clear();
    return true;
}

void Queued::start_pool_worker(Kind kind) {
    if (stopping_) return;
    std::size_t slot = 0;
    const std::size_t before = children_.size();
    if (fork_child(kind, 0, slot)) {
        const bool network = kind == Kind::network;
        run_pool_worker(service_, slot, network ? Door::network : Door::bounce,
                        network ? descriptors_.network : descriptors_.bounce, handover_.second.get());
    }
    if (children_.size() == before) loop_.after(Seconds(1), [this, kind] { start_pool_worker(kind); });
}

void Queued::start_alone(Kind kind, Door door, Fd connection, uid_t uid, std::string_view received) {
    std::size_t slot = 0;
    const std::size_t before = children_.size();
    if (fork_child(kind, uid, slot)) {
        serve_alone(service_, slot, door, connection.get(), received);
        ::_exit(0);
    }
    if (children_.size() == before)
        refuse(connection.get(), SubmitCode::refused_for_now);
    else if (kind == Kind::submission)
        ++users_[uid];
}

void Queued::accept_submissions() {
    for (int i = 0; i < accepts_at_a_time; ++i) {
        Fd connection(::accept4(descriptors_.submit, nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) rest();
            break;
        }
        const uid_t uid = peer_of(connection.get()).uid;
        const auto same_user = static_cast<std::size_t>(std::count_if(
            waiting_.begin(), waiting_.end(), [uid](const Waiting& waiting) { return waiting.uid == uid; }));
        // Who keeps within his share is not hindered by those who fill the waiting line.
        if (same_user == 0 && has_room_for(uid))
            start_alone(Kind::submission, Door::submit, std::move(connection), uid, {});
        else if (waiting_.size() >= waiting_limit || same_user >= waiting_per_user)
            refuse(connection.get(), SubmitCode::refused_for_now);
        else
            waiting_.push_back({std::move(connection), uid});
    }
}

// No descriptor left, or no memory: clients wait in the backlog, where they would wake us all the time.
void Queued::rest() {
    log_line("warning: unable to accept a connection: " + errno_text(errno));
    loop_.change(descriptors_.submit, 0);
    loop_.after(Seconds(1), [this] {
        if (!stopping_) loop_.change(descriptors_.submit, EPOLLIN);
    });
}

bool Queued::has_room_for(uid_t uid) const {
    if (alive(Kind::submission) >= limits_.submissions) return false;
    const auto user = users_.find(uid);
    return user == users_.end() || user->second < limits_.per_user;
}

void Queued::admit_waiting() {
    for (auto next = waiting_.begin(); next != waiting_.end();) {
        if (!has_room_for(next->uid)) {
            ++next;
            continue;
        }
        Waiting admitted = std::move(*next);
        next = waiting_.erase(next);
        start_alone(Kind::submission, Door::submit, std::move(admitted.connection), admitted.uid, {});
    }
}

void Queued::accept_large() {
    std::optional<Packet> packet;
    try {
        packet = receive_packet(handover_.first.get(), handover_limit);
    } catch (const Error& error) {
        if (error.number() != EAGAIN) log_line(std::string("warning: ") + error.what());
        return;
    }
    if (!packet || !packet->passed) return;
    const auto handover = decode_handover(packet->data);
    if (!handover) return;
    if (stopping_ || alive(Kind::large) >= limits_.large)
        refuse(packet->passed.get(), SubmitCode::refused_for_now);
    else
        start_alone(Kind::large, handover->door, std::move(packet->passed), 0, handover->received);
}

void Queued::look_into_drop() {
    if (stopping_ || !dropped_.empty() || alive(Kind::dropped) > 0 || stuck_.size() >= stuck_limit) return;
    std::erase_if(unwhole_, [](const auto& each) { return each.second <= Clock::now(); });
    for (Dropped& dropped : drop_.look(drop_names_at_a_time, now_seconds()))
        if (!stuck_.contains(dropped.name) && !unwhole_.contains(dropped.uid))
            dropped_.push_back(std::move(dropped));
    take_dropped();
}

void Queued::take_dropped() {
    while (!stopping_ && !dropped_.empty() && alive(Kind::dropped) < limits_.dropped) {
        std::size_t slot = 0;
        const std::size_t before = children_.size();
        if (fork_child(Kind::dropped, dropped_.front().uid, slot)) {
            // Between its sync and the file's removal it must not end.
            ::signal(SIGTERM, SIG_IGN);
            ::_exit(static_cast<int>(take_in(service_, slot, drop_.fd(), dropped_.front())));
        }
        if (children_.size() == before) return dropped_.clear();
        for (auto& [pid, child] : children_)
            if (child.slot == slot) child.dropped = dropped_.front().name;
        dropped_.pop_front();
    }
    // More may lie there than one look takes.
    if (dropped_.empty() && alive(Kind::dropped) == 0 && !drop_.at_end() &&
        !std::exchange(look_planned_, true))
        loop_.after(between_looks, [this] {
            look_planned_ = false;
            look_into_drop();
        });
}

void Queued::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        const auto found = children_.find(pid);
        if (found == children_.end()) continue;
        const Child child = found->second;
        children_.erase(found);
        mourn(pid, child, status);
    }
    if (!stopping_) {
        admit_waiting();
        take_dropped();
    } else if (children_.empty()) {
        loop_.stop();
    }
}

void Queued::mourn(pid_t pid, const Child& child, int status) {
    remove_unfinished(home_, ledger_, child.slot);
    free_slots_.push_back(child.slot);
    if (child.kind == Kind::submission && --users_[child.uid] == 0) users_.erase(child.uid);
    if (child.kind == Kind::dropped && WIFEXITED(status)) {
        const auto intake = static_cast<Intake>(WEXITSTATUS(status));
        if (intake == Intake::stuck) stuck_.insert(child.dropped);
        // Whose file costs a look for nothing waits; nobody else does.
        if (intake == Intake::incomplete) {
            unwhole_[child.uid] = Clock::now() + Seconds(drop_patience);
            std::erase_if(dropped_, [&](const Dropped& each) { return each.uid == child.uid; });
        }
        return;
    }
    // Told to end before it had begun to listen for that, it had nothing.
    const bool ended_early = stopping_ && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    if (status != 0 && !ended_early) {
        log_line("warning: process " + std::to_string(pid) + " ended with status " + std::to_string(status));
        // It may have died between a message's sync and its hint.
        ask_for_scan();
    }
    if (child.kind != Kind::network && child.kind != Kind::bounce) return;
    const Kind kind = child.kind;
    if (Clock::now() - child.born < healthy_life)
        loop_.after(healthy_life, [this, kind] { start_pool_worker(kind); });
    else
        start_pool_worker(kind);
}

void Queued::ask_for_scan() const {
    const char scan_again[8] = {};
    [[maybe_unused]] const ssize_t written = ::write(descriptors_.hints, scan_again, sizeof scan_again);
}

void Queued::stop() {
    if (stopping_) return;
    stopping_ = true;
    loop_.remove(descriptors_.submit);
    // Without an answer, as those in the backlog end: programs of this host leave their message in the drop
    // directory then, and others hear 74, which is as temporary as a refusal.
    waiting_.clear();
    for (const auto& [pid, child] : children_) ::kill(pid, SIGTERM);
    loop_.after(ending_patience, [this] {
        for (const auto& [pid, child] : children_) ::kill(pid, SIGKILL);
    });
    if (children_.empty()) loop_.stop();
}

// A failure costs time at the next start, no mail.
void Queued::move_checkpoint() {
    const MessageId checkpoint = ledger_.checkpoint();
    if (checkpoint == checkpoint_) return;
    try {
        write_checkpoint(home_, checkpoint);
        checkpoint_ = checkpoint;
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
    }
}

std::size_t Queued::alive(Kind kind) const {
    return static_cast<std::size_t>(std::count_if(
        children_.begin(), children_.end(), [kind](const auto& child) { return child.second.kind == kind; }));
}

}  // namespace relais::queue
