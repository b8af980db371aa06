#include "send/spawner_line.h"

#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include "base/error.h"
#include "base/program.h"

namespace relais::send {
namespace {

// How long reports are kept that no qmail-send comes for.
constexpr std::chrono::hours report_patience{1};

bool listens(int socket) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

}  // namespace

SpawnerLine::SpawnerLine(EventLoop& loop, Fd channel, Fd heirs, Limits limits, Calls calls)
    : loop_(loop), limits_(limits), calls_(std::move(calls)) {
    set_close_on_exec(heirs.get(), true);
    if (listens(heirs.get())) {
        heirs_ = std::move(heirs);
        set_nonblocking(heirs_.get(), true);
        loop_.add(heirs_.get(), EPOLLIN, [this](std::uint32_t) { on_heir(); });
    } else {
        lock_ = std::move(heirs);
    }
    take_channel(std::move(channel));
}

void SpawnerLine::take_channel(Fd channel) {
    channel_ = std::move(channel);
    set_close_on_exec(channel_.get(), true);
    set_nonblocking(channel_.get(), true);
    in_ = std::make_unique<PacketReader>(limits_.packet, limits_.packets_at_once);
    out_ = std::make_unique<PacketQueue>(loop_, channel_.get());
    loop_.add(channel_.get(), EPOLLIN, [this](std::uint32_t events) { on_channel(events); });
}

void SpawnerLine::drop_channel() {
    loop_.remove(channel_.get());
    out_.reset();
    channel_.reset();
    wait_for_heir();
}

void SpawnerLine::begin(UnderWay delivery) {
    const std::uint64_t number = delivery.delivery;
    if (!under_way_.try_emplace(number, std::move(delivery)).second)
        throw Error(Reaction::bug, "qmail-send used a delivery number twice");
}

void SpawnerLine::report(std::uint64_t delivery, std::string packet) {
    if (channel_) out_->add(packet);
    reports_.emplace_back(delivery, std::move(packet));
    if (!channel_) wait_for_heir();
}

void SpawnerLine::give_back(std::uint64_t delivery) {
    if (channel_)
        report(delivery, encode(Report{delivery, {}, "", false, 0}));
    else
        under_way_.erase(delivery);
}

void SpawnerLine::flush() {
    if (channel_) out_->flush();
}

void SpawnerLine::on_channel(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) out_->on_writable();
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    const auto packets = in_->read(channel_.get());
    if (!packets.empty()) calls_.before_orders();
    for (PacketReader::Packet& packet : packets) take_packet(std::move(packet));
    if (!in_->closed()) return;
    drop_channel();
    retire();
}

void SpawnerLine::take_packet(PacketReader::Packet packet) {
    if (const auto reports = decode_taken(packet.data)) return taken(*reports);
    if (is_retire(packet.data)) return retire();
    if (const auto delivery = decode_cut(packet.data)) return calls_.cut(*delivery);
    if (!retired_) return calls_.order(std::move(packet));
    log_line("warning: an order for a spawner that has retired");
}

void SpawnerLine::taken(std::uint32_t reports) {
    for (; reports > 0 && !reports_.empty(); --reports) {
        under_way_.erase(reports_.front().first);
        reports_.pop_front();
    }
}

// Who connects has the instance lock, so the last qmail-send has gone, though its channel may still hold what
// it sent.
void SpawnerLine::on_heir() {
    Fd heir(::accept4(heirs_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!heir) return;
    if (channel_) drop_channel();
    retire();
    take_channel(std::move(heir));
    if (patience_ != 0) loop_.cancel(std::exchange(patience_, 0));
    for (const auto& [number, delivery] : under_way_) out_->add(encode(delivery));
    out_->add(encode_end_of_list());
    for (const auto& [number, packet] : reports_) out_->add(packet);
}

void SpawnerLine::retire() {
    if (std::exchange(retired_, true)) return;
    calls_.retire();
}

void SpawnerLine::wait_for_heir() {
    if (!heirs_) return forget_reports();
    if (patience_ != 0) loop_.cancel(patience_);
    patience_ = loop_.after(report_patience, [this] {
        patience_ = 0;
        if (!channel_) forget_reports();
    });
}

// Their recipients are tried as after a crash.
void SpawnerLine::forget_reports() {
    taken(static_cast<std::uint32_t>(reports_.size()));
}

}  // namespace relais::send
