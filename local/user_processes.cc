#include "local/user_processes.h"

#include <signal.h>
#include <unistd.h>

#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "local/user_process.h"

namespace relais::local {
namespace {

constexpr std::size_t packet_limit = 16384;
// Without an order a process stays so long, and so many of them at most.
constexpr std::chrono::milliseconds idle_limit{500};
constexpr std::size_t idle_processes_limit = 50;
constexpr std::chrono::milliseconds tidy_interval{250};
// A user who stops his process holds up his own mail, but not for ever.
constexpr std::chrono::minutes patience{15};

}  // namespace

// Whoever has a delivery already collects more: they are synced together.
UserProcesses::Place UserProcesses::find(const Owner& owner) {
    const auto [begin, end] = by_owner_.equal_range(owner);
    Place best = processes_.end();
    for (auto at = begin; at != end; ++at) {
        const std::size_t count = at->second->deliveries.size();
        if (count >= user_orders_limit) continue;
        if (best == processes_.end() || count > best->deliveries.size()) best = at->second;
    }
    return best;
}

UserProcesses::Place UserProcesses::start(const Owner& owner) {
    make_room();
    auto [ours, theirs] = make_packet_pair();
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno("fork", "a delivery");
    if (pid == 0) {
        become_(owner, theirs.get());
        ::_exit(static_cast<int>(Exit::temporary));
    }
    set_nonblocking(ours.get(), true);
    processes_.emplace_back();
    const Place place = std::prev(processes_.end());
    place->owner = owner;
    place->pid = pid;
    place->channel = std::move(ours);
    by_owner_.emplace(owner, place);
    loop_.add(place->channel.get(), EPOLLIN, [this, place](std::uint32_t) { on_channel(place); });
    ++idle_;
    return place;
}

void UserProcesses::give(const Owner& owner, std::uint64_t delivery, std::string_view packet, int message) {
    Place place = find(owner);
    // One that has just died is seen on its channel.
    if (place == processes_.end() || !send_packet(place->channel.get(), packet, message)) {
        place = start(owner);
        if (!send_packet(place->channel.get(), packet, message))
            throw_errno("send an order to", "a process", EPIPE);
    }
    if (place->deliveries.empty()) --idle_;
    place->deliveries.emplace(delivery, Clock::now());
    tidy_later();
}

void UserProcesses::on_channel(Place place) {
    std::optional<send::Report> report;
    try {
        if (const auto packet = receive_packet(place->channel.get(), packet_limit))
            report = send::decode_report(packet->data);
    } catch (const Error& error) {
        if (error.number() == EAGAIN) return;
    }
    // Dead, or it says what nobody asked it.
    if (!report || place->deliveries.erase(report->delivery) == 0 || report->recipients.size() > 1)
        return end(place);
    if (place->deliveries.empty()) {
        ++idle_;
        place->idle_since = Clock::now();
    }
    const std::uint64_t delivery = report->delivery;
    answer_(delivery, std::move(report));
}

void UserProcesses::end(Place place) {
    loop_.remove(place->channel.get());
    if (place->deliveries.empty()) --idle_;
    const auto [begin, end] = by_owner_.equal_range(place->owner);
    for (auto at = begin; at != end; ++at) {
        if (at->second != place) continue;
        by_owner_.erase(at);
        break;
    }
    // It may be stopped, or worse: what it has is ordered again, so it must not go on.
    if (!place->deliveries.empty()) kill(*place);
    const auto deliveries = std::move(place->deliveries);
    processes_.erase(place);
    for (const auto& [delivery, since] : deliveries) answer_(delivery, std::nullopt);
}

void UserProcesses::kill(const Process& process) {
    if (process.pid > 0) ::kill(process.pid, SIGKILL);
}

void UserProcesses::reaped(pid_t pid) {
    for (Process& process : processes_)
        if (process.pid == pid) process.pid = -1;
}

// Of the idle ones the one that has been idle longest goes.
void UserProcesses::make_room() {
    if (idle_ < idle_processes_limit) return;
    Place oldest = processes_.end();
    for (Place at = processes_.begin(); at != processes_.end(); ++at)
        if (at->deliveries.empty() && (oldest == processes_.end() || at->idle_since < oldest->idle_since))
            oldest = at;
    if (oldest != processes_.end()) end(oldest);
}

void UserProcesses::tidy_later() {
    if (std::exchange(tidying_, true)) return;
    loop_.after(tidy_interval, [this] {
        tidying_ = false;
        tidy();
    });
}

void UserProcesses::tidy() {
    const auto now = Clock::now();
    for (Place at = processes_.begin(); at != processes_.end();) {
        const Place place = at++;
        if (place->deliveries.empty()) {
            if (now - place->idle_since > idle_limit) end(place);
            continue;
        }
        for (const auto& [delivery, since] : place->deliveries) {
            if (now - since < patience) continue;
            kill(*place);  // its channel tells when it has ended
            break;
        }
    }
    if (!processes_.empty()) tidy_later();
}

}  // namespace relais::local
