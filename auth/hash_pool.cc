#include "auth/hash_pool.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "auth/hash.h"
#include "base/error.h"
#include "base/program.h"
#include "base/unix_socket.h"

namespace relais::auth {
namespace {

constexpr std::size_t job_limit = 1024;
constexpr std::chrono::seconds restart_pause{1};

}  // namespace

// hash NUL password.
void serve_checks(int channel) {
    try {
        Secret job(job_limit);
        for (;;) {
            const ssize_t size = ::recv(channel, job.span().data(), job.size(), 0);
            if (size < 0 && errno == EINTR) continue;
            if (size <= 0) ::_exit(0);
            const std::string_view text = job.view().substr(0, static_cast<std::size_t>(size));
            const std::size_t end = text.find('\0');
            const bool fits = end != std::string_view::npos &&
                              password_fits(text.substr(end + 1), std::string(text.substr(0, end)));
            ::explicit_bzero(job.span().data(), job.size());
            const char report = fits ? '1' : '0';
            if (::send(channel, &report, 1, MSG_NOSIGNAL) != 1) ::_exit(0);
        }
    } catch (const std::exception& error) {
        log_line(std::string("alert: ") + error.what());
    }
    ::_exit(111);
}

HashPool::HashPool(EventLoop& loop, std::size_t count, std::size_t waiting_limit, Start start_worker)
    : loop_(loop), waiting_limit_(waiting_limit), start_(std::move(start_worker)), workers_(count) {
    for (Worker& worker : workers_) start(worker);
}

HashPool::~HashPool() {
    for (Worker& worker : workers_)
        if (worker.channel) loop_.remove(worker.channel.get());
}

void HashPool::start(Worker& worker) {
    auto [ours, theirs] = make_packet_pair();
    if (!start_(theirs.get())) return start_later(worker);
    worker.channel = std::move(ours);
    loop_.add(worker.channel.get(), EPOLLIN, [this, &worker](std::uint32_t) { on_report(worker); });
}

void HashPool::start_later(Worker& worker) {
    loop_.after(restart_pause, [this, &worker] {
        start(worker);
        give_work();
    });
}

bool HashPool::check(std::string hash, Secret password, Done done) {
    if (waiting_.size() >= waiting_limit_ || hash.size() + 1 + password.size() > job_limit) return false;
    waiting_.push_back({std::move(hash), std::move(password), std::move(done)});
    give_work();
    return true;
}

void HashPool::give_work() {
    for (Worker& worker : workers_) {
        if (waiting_.empty()) return;
        if (!worker.channel || worker.done) continue;
        Job job = std::move(waiting_.front());
        waiting_.pop_front();
        worker.done = std::move(job.done);
        send(worker, job);
    }
}

void HashPool::send(Worker& worker, const Job& job) {
    Secret packet(job.hash.size() + 1 + job.password.size());
    std::memcpy(packet.span().data(), job.hash.data(), job.hash.size());
    std::memcpy(packet.span().data() + job.hash.size() + 1, job.password.view().data(), job.password.size());
    // A worker that has just died is told by its channel's end.
    [[maybe_unused]] const ssize_t sent =
        ::send(worker.channel.get(), packet.view().data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void HashPool::on_report(Worker& worker) {
    char report = 0;
    const ssize_t size = ::recv(worker.channel.get(), &report, 1, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return lose(worker);
    const Done done = std::exchange(worker.done, nullptr);
    if (done) done(report == '1' ? HashResult::fits : HashResult::wrong);
    give_work();
}

void HashPool::lose(Worker& worker) {
    log_line("alert: a process that checks passwords has ended; another will be started");
    loop_.remove(worker.channel.get());
    worker.channel.reset();
    const Done done = std::exchange(worker.done, nullptr);
    if (done) done(HashResult::unknown);
    start_later(worker);
}

}  // namespace relais::auth
