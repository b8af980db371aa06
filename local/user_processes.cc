#include "local/user_processes.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/program.h"
#include "base/unix_socket.h"
#include "local/user_process.h"

namespace relais::local {
namespace {

constexpr std::size_t packet_limit = 16384;
constexpr std::size_t order_limit = 32768;
// So many processes without an order at most.
constexpr std::size_t idle_processes_limit = 128;
constexpr std::chrono::milliseconds tidy_interval{500};
// Processes of one user that work at a time, when there is enough for them; one more for each that nobody has
// heard of for so long, up to a limit.
constexpr std::size_t working_limit = 2;
constexpr std::chrono::milliseconds hung_after{5000};
constexpr std::size_t processes_limit = 20;
// A user who stops his process holds up what it has, but not for ever.
constexpr std::chrono::minutes patience{15};
const std::string crashed = "qmail-local crashed. (#4.3.0)";

}  // namespace

UserProcesses::UserProcesses(EventLoop& loop, Become become, Answer answer, MayStay may_stay)
    : loop_(loop),
      become_(std::move(become)),
      answer_(std::move(answer)),
      may_stay_(std::move(may_stay)),
      reports_(packet_limit, user_orders_limit),
      unread_(order_limit, user_orders_limit) {}

void UserProcesses::give(const Owner& owner, std::uint64_t delivery, std::string packet, int message) {
    User& user = users_[owner];
    user.waiting.push_back({delivery, std::move(packet), message});
    call(owner, user);
}

void UserProcesses::call(const Owner& owner, User& user) {
    if (!user.waiting.empty() && !std::exchange(user.called, true)) called_.push_back(owner);
}

bool UserProcesses::dispatch() {
    for (const Owner& owner : std::exchange(called_, {})) {
        const auto found = users_.find(owner);
        if (found == users_.end()) continue;
        found->second.called = false;
        try {
            dispatch(owner, found->second);
        } catch (const Error& error) {
            const auto orders = std::exchange(found->second.waiting, {});
            forget_if_empty(owner);
            for (const Order& order : orders)
                answer_(order.delivery, std::nullopt,
                        std::string("qmail-lspawn: ") + error.what() + ". (#4.3.0)");
        }
    }
    return !called_.empty();
}

void UserProcesses::dispatch(const Owner& owner, User& user) {
    while (!user.waiting.empty()) {
        if (!user.idle.empty()) {
            hand_over(user, user.idle.back());
            continue;
        }
        if (!may_have_another(user, Clock::now())) break;
        if (!hand_over(user, start(owner))) throw_errno("send an order to", "a process", EPIPE);
    }
    tidy_later();
}

// What waits together is synced together, so a second one must be worth it.
bool UserProcesses::may_have_another(const User& user, Clock::time_point now) const {
    if (user.busy.size() >= processes_limit) return false;
    const auto working =
        static_cast<std::size_t>(std::count_if(user.busy.begin(), user.busy.end(), [&](const Place& place) {
            return now - place->heard < hung_after;
        }));
    return working == 0 || (working < working_limit && user.waiting.size() >= user_orders_limit);
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
    place->its_end = std::move(theirs);
    users_[owner].idle.push_back(place);
    ++idle_;
    loop_.add(place->channel.get(), EPOLLIN, [this, place](std::uint32_t) { on_channel(place); });
    return place;
}

// What its socket does not take (it takes far more) keeps waiting. False if it takes nothing.
bool UserProcesses::hand_over(User& user, Place place) {
    PacketWriter orders;
    const std::size_t most = std::min(user.waiting.size(), user_orders_limit);
    for (std::size_t i = 0; i < most; ++i)
        orders.put_borrowed(user.waiting[i].packet, user.waiting[i].message);
    orders.flush(place->channel.get());
    if (orders.gone() || orders.waiting() == most) {
        end(place);
        return false;
    }
    for (std::size_t sent = most - orders.waiting(); sent > 0; --sent) {
        place->given.push_back(std::move(user.waiting.front()));
        user.waiting.pop_front();
    }
    place->heard = Clock::now();
    std::erase(user.idle, place);
    user.busy.push_back(place);
    --idle_;
    return true;
}

void UserProcesses::on_channel(Place place) {
    const bool had_orders = !place->given.empty();
    const bool good = take_answers(place);
    place->heard = Clock::now();
    if (!good) return end(place);
    if (!place->given.empty() || !had_orders) return;
    if (place->outdated) return end(place);
    User& user = users_[place->owner];
    std::erase(user.busy, place);
    user.idle.push_back(place);
    ++idle_;
    call(place->owner, user);
}

// False if it has closed its end, or says what nobody asked it.
bool UserProcesses::take_answers(Place place) {
    try {
        bool good = true;
        for (const PacketReader::Packet& packet : reports_.read(place->channel.get()))
            good = take_answer(place, packet.data) && good;
        return good && !reports_.closed();
    } catch (const Error&) {
        return false;
    }
}

bool UserProcesses::take_answer(Place place, std::string_view packet) {
    auto report = send::decode_report(packet);
    if (!report || report->recipients.size() > 1) return false;
    const std::uint64_t delivery = report->delivery;
    const auto is_it = [delivery](const Order& order) { return order.delivery == delivery; };
    if (std::erase_if(place->given, is_it) == 0) return false;
    answer_(delivery, std::move(report), {});
    return true;
}

// Packets are read in the order they were sent: unread are the last ones.
void UserProcesses::take_back(Place place) {
    User& user = users_[place->owner];
    for (PacketReader::Packet& packet : unread_.read_now(place->its_end.get())) {
        packet.passed.reset();
        if (place->given.empty()) continue;
        user.waiting.push_front(std::move(place->given.back()));
        place->given.pop_back();
    }
    call(place->owner, user);
}

void UserProcesses::end(Place place) {
    take_back(place);
    loop_.remove(place->channel.get());
    const Owner owner = place->owner;
    User& user = users_[owner];
    if (std::erase(user.idle, place) > 0)
        --idle_;
    else
        // It may be stopped, or worse: what it has is ordered again, so it must not go on.
        kill(*place);
    std::erase(user.busy, place);
    const auto lost = std::move(place->given);
    processes_.erase(place);
    forget_if_empty(owner);
    for (const Order& order : lost) answer_(order.delivery, std::nullopt, crashed);
}

void UserProcesses::forget_if_empty(const Owner& owner) {
    const auto found = users_.find(owner);
    if (found == users_.end()) return;
    const User& user = found->second;
    if (user.waiting.empty() && user.idle.empty() && user.busy.empty()) users_.erase(found);
}

void UserProcesses::kill(const Process& process) {
    if (process.pid > 0) ::kill(process.pid, SIGKILL);
}

void UserProcesses::reaped(pid_t pid) {
    const auto place = std::find_if(processes_.begin(), processes_.end(),
                                    [pid](const Process& process) { return process.pid == pid; });
    if (place == processes_.end()) return;
    place->pid = -1;
    // What it still said counts; its own end of the channel is open here, so that nothing else tells that it
    // has gone.
    while (!place->given.empty()) {
        const std::size_t before = place->given.size();
        if (!take_answers(place) || place->given.size() == before) break;
    }
    end(place);
}

bool UserProcesses::cut(std::uint64_t delivery) {
    const auto is_it = [delivery](const Order& order) { return order.delivery == delivery; };
    for (Process& process : processes_)
        if (std::any_of(process.given.begin(), process.given.end(), is_it)) {
            kill(process);
            return true;
        }
    for (auto& [owner, user] : users_) std::erase_if(user.waiting, is_it);
    return false;
}

void UserProcesses::outdate() {
    for (Place at = processes_.begin(); at != processes_.end();) {
        const Place place = at++;
        place->outdated = true;
        if (place->given.empty()) end(place);
    }
}

// Of the idle ones the one that has been idle longest goes.
void UserProcesses::make_room() {
    if (idle_ < idle_processes_limit) return;
    Place oldest = processes_.end();
    for (Place at = processes_.begin(); at != processes_.end(); ++at)
        if (at->given.empty() && (oldest == processes_.end() || at->heard < oldest->heard)) oldest = at;
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
    const auto idle_limit = may_stay_();
    for (Place at = processes_.begin(); at != processes_.end();) {
        const Place place = at++;
        if (place->given.empty()) {
            if (now - place->heard > idle_limit) end(place);
            continue;
        }
        if (now - place->heard < hung_after) continue;
        take_back(place);
        if (place->given.empty())
            end(place);
        else if (now - place->heard >= patience)
            kill(*place);  // and waited for
    }
    for (auto& [owner, user] : users_) call(owner, user);
    if (!processes_.empty()) tidy_later();
}

}  // namespace relais::local
