#include "base/event_loop.h"

#include <signal.h>
#include <sys/signalfd.h>

#include <array>

#include "base/error.h"

namespace relais {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) throw_errno("create", "an epoll descriptor");
}

void EventLoop::add(int fd, std::uint32_t events, Handler handler) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw_errno("watch", "a descriptor");
    handlers_[fd] = std::make_shared<Handler>(std::move(handler));
}

void EventLoop::change(int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) throw_errno("watch", "a descriptor");
}

void EventLoop::remove(int fd) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    handlers_.erase(fd);
}

EventLoop::TimerId EventLoop::at(Clock::time_point when, Action action) {
    const TimerId id = next_timer_++;
    timers_.emplace(std::pair(when, id), std::move(action));
    timer_times_.emplace(id, when);
    return id;
}

void EventLoop::cancel(TimerId id) {
    const auto found = timer_times_.find(id);
    if (found == timer_times_.end()) return;
    timers_.erase({found->second, id});
    timer_times_.erase(found);
}

void EventLoop::on_signal(int signal_number, Action action) {
    sigset_t all;
    sigemptyset(&all);
    signal_actions_[signal_number] = std::move(action);
    for (const auto& [number, unused] : signal_actions_) sigaddset(&all, number);
    if (::sigprocmask(SIG_BLOCK, &all, nullptr) != 0) throw_errno("block", "signals");
    const int fd = ::signalfd(signals_ ? signals_.get() : -1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) throw_errno("create", "a signal descriptor");
    if (signals_) return;
    signals_ = Fd(fd);
    add(fd, EPOLLIN, [this](std::uint32_t) {
        signalfd_siginfo info{};
        while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
            const auto found = signal_actions_.find(static_cast<int>(info.ssi_signo));
            if (found != signal_actions_.end()) found->second();
        }
    });
}

void EventLoop::restore_signals() {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void EventLoop::run_timers() {
    const auto now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first.first <= now && !stopped_) {
        auto first = timers_.extract(timers_.begin());
        timer_times_.erase(first.key().second);
        first.mapped()();
    }
}

void EventLoop::run() {
    std::array<epoll_event, 64> events{};
    stopped_ = false;
    while (!stopped_) {
        run_timers();
        if (stopped_) break;
        const bool more_to_do = before_wait_ && before_wait_();
        if (stopped_) break;
        const Deadline next = timers_.empty() ? Deadline::never() : Deadline(timers_.begin()->first.first);
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                       more_to_do ? 0 : next.milliseconds());
        if (count < 0 && errno != EINTR) throw_errno("wait for", "events");
        for (int i = 0; i < count && !stopped_; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            const auto found = handlers_.find(event.data.fd);
            if (found == handlers_.end()) continue;
            // Kept alive here: the handler may remove itself.
            const std::shared_ptr<Handler> handler = found->second;
            (*handler)(event.events);
        }
    }
}

}  // namespace relais
