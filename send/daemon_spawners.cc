// Daemon: its packets with qmail-lspawn and qmail-rspawn, those of before a restart too.
#include <sys/epoll.h>
#include <unistd.h>

#include <utility>

#include "base/time.h"
#include "send/daemon.h"
#include "start/descriptors.h"

namespace relais::send {
namespace {

using namespace std::chrono_literals;

// Orders that have gathered for qmail-lspawn: sent together, at the end of a turn or when there are so many.
constexpr std::size_t orders_together = 32;
// A spawner answers at once. What one has that does not is tried as after a crash.
constexpr auto list_patience = 60s;

}  // namespace

void Daemon::take_spawners(std::string_view retired) {
    local_ = &spawners_.emplace_back(Spawner{start::send_local_channel, Channel::local});
    remote_ = &spawners_.emplace_back(Spawner{start::send_remote_channel, Channel::remote});
    unsigned number = 0;
    for (const char letter : retired) {
        const int fd = start::send_retired + static_cast<int>(number);
        spawners_.push_back({fd, letter == 'l' ? Channel::local : Channel::remote, ++number, true});
    }
    for (Spawner& spawner : spawners_) watch(spawner);
    sender_.expect_lists(number);
    if (number > 0) loop_.after(list_patience, [this] { give_up_lists(); });
}

void Daemon::watch(Spawner& spawner) {
    set_nonblocking(spawner.fd, true);
    loop_.add(spawner.fd, EPOLLIN, [this, &spawner](std::uint32_t events) { on_spawner(spawner, events); });
}

void Daemon::on_spawner(Spawner& spawner, std::uint32_t events) {
    tell_time();
    if ((events & EPOLLOUT) != 0) {
        loop_.change(spawner.fd, EPOLLIN);
        spawner.full = false;
        if (spawner.retired == 0) sender_.channel_writable(spawner.channel);
    }
    for (const PacketReader::Packet& packet : reports_.read(spawner.fd)) take_packet(spawner, packet.data);
    if (reports_.closed()) spawner_lost(spawner);
}

void Daemon::take_packet(Spawner& spawner, std::string_view packet) {
    if (const auto report = decode_report(packet)) {
        ++spawner.taken;
        if (spawner.retired == 0)
            sender_.report(spawner.channel, *report);
        else
            sender_.late_report(spawner.retired, *report);
    } else if (const auto delivery = decode_under_way(packet); delivery && spawner.list_missing) {
        sender_.still_running(spawner.retired, *delivery);
    } else if (is_end_of_list(packet) && spawner.list_missing) {
        spawner.list_missing = false;
        sender_.list_complete();
    } else {
        log("alert: a spawner sent a report that makes no sense");
    }
}

void Daemon::spawner_lost(Spawner& spawner) {
    loop_.remove(spawner.fd);
    ::close(std::exchange(spawner.fd, -1));
    if (spawner.retired > 0) {
        if (std::exchange(spawner.list_missing, false)) sender_.list_complete();
        return sender_.retired_lost(spawner.retired);
    }
    sender_.channel_lost(spawner.channel);
    if (retiring_) return;  // it had nothing left to do
    exit_code_ = 111;
    log(spawner.channel == Channel::local ? "alert: lost the connection to qmail-lspawn; exiting"
                                          : "alert: lost the connection to qmail-rspawn; exiting");
    sender_.hand_over();
}

void Daemon::give_up_lists() {
    for (Spawner& spawner : spawners_) {
        if (!spawner.list_missing) continue;
        log("alert: an old spawner does not say what it has under way; that is tried again");
        spawner_lost(spawner);
    }
}

// They give back what has not begun, cut off what may be, and go on reporting.
void Daemon::retire_spawners() {
    if (std::exchange(retiring_, true)) return;
    for (Spawner* spawner : {local_, remote_})
        if (spawner->fd >= 0) spawner->out.put(encode_retire());
}

// qmail-lspawn is woken once for what can be told together.
bool Daemon::order(const LocalOrder& order, Fd message) {
    if (local_->full) return false;
    local_->out.put(encode(order), std::move(message));
    if (local_->out.waiting() >= orders_together) flush(*local_);
    return true;
}

bool Daemon::order(const RemoteOrder& order, Fd message) {
    if (remote_->full) return false;
    if (signing_.has_keys()) {
        RemoteOrder with_leave = order;
        with_leave.signing = signing_.allow(with_leave.options.submitter, order.message, now_seconds());
        remote_->out.put(encode(with_leave), std::move(message));
    } else {
        remote_->out.put(encode(order), std::move(message));
    }
    flush(*remote_);
    return true;
}

void Daemon::cut(Channel channel, unsigned from, std::uint64_t delivery) {
    for (Spawner& spawner : spawners_) {
        if (spawner.channel != channel || spawner.retired != from || spawner.fd < 0) continue;
        spawner.out.put(encode_cut(delivery));
        flush(spawner);
    }
}

// What has been taken from a spawner is told last: all that follows from it has been done.
void Daemon::flush_spawners() {
    for (Spawner& spawner : spawners_) {
        if (spawner.fd < 0) continue;
        if (spawner.taken > 0) spawner.out.put(encode_taken(std::exchange(spawner.taken, 0)));
        flush(spawner);
    }
}

// When the spawner has gone, the channel's end will be read.
void Daemon::flush(Spawner& spawner) {
    if (spawner.full || spawner.fd < 0 || spawner.out.waiting() == 0 || spawner.out.flush(spawner.fd)) return;
    spawner.full = true;
    loop_.change(spawner.fd, EPOLLIN | EPOLLOUT);
}

}  // namespace relais::send
