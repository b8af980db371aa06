#include "remote/pool.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/process_title.h"
#include "base/program.h"
#include "base/time.h"
#include "base/unix_socket.h"
#include "control/cages.h"
#include "remote/report.h"
#include "remote/worker.h"
#include "start/descriptors.h"

namespace relais::remote {
namespace {

// A process without an order and long without a connection is of no use.
constexpr Seconds idle_limit{60};
constexpr Seconds idle_check{10};
constexpr std::size_t orders_at_once = 32;

void close_all_but(std::vector<int> keep) {
    std::sort(keep.begin(), keep.end());
    unsigned first = 0;
    for (const int fd : keep) {
        if (fd < 0) continue;
        const auto number = static_cast<unsigned>(fd);
        if (number > first) ::close_range(first, number - 1, 0);
        first = number + 1;
    }
    ::close_range(first, ~0U, 0);
}

}  // namespace

Pool::Pool(control::Home home, TimeoutTable timeouts, ServerMemory servers,
           control::DirectoryWatch& directory, Fd channel, Fd heirs)
    : home_(std::move(home)),
      directory_(directory),
      timeouts_(std::move(timeouts)),
      settings_(home_, Passwords::forget),
      line_(loop_, std::move(channel), std::move(heirs), {send::packet_limit, orders_at_once},
            // The process that gets an order sees what this sees.
            {[this] { directory_.look(); },
             [this](PacketReader::Packet packet) { take_order(std::move(packet)); }, [this] { retire(); },
             [this](std::uint64_t delivery) { cut(delivery); }}) {
    memory_.set_servers(std::move(servers));
    loop_.before_wait([this] { return before_wait(); });
    // Only to reap: that a process has ended is seen on its channel, behind its last report.
    loop_.on_signal(SIGCHLD, [] {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    });
}

void Pool::run() {
    loop_.after(idle_check, [this] { end_idle_processes(Clock::now() - idle_limit); });
    loop_.run();
}

bool Pool::before_wait() {
    line_.flush();
    if (line_.finished() && processes_.empty()) loop_.stop();
    return false;
}

void Pool::take_order(PacketReader::Packet packet) {
    const auto order = send::decode_remote_order(packet.data);
    if (!order) return log_line("warning: an order that cannot be read");
    const Work work{order->delivery, order->recipients.size()};
    line_.begin(
        {order->delivery, order->message, now_seconds(), send::Channel::remote, order->host, order->indices});
    if (!packet.passed) return report_failure(work, cannot_read_message().text);
    try {
        hand_over(*order, work, packet);
    } catch (const Error& error) {
        report_failure(work, cannot_read_control(error.what()).text);
    }
}

// Throws Error if the control files cannot be read.
void Pool::hand_over(const send::RemoteOrder& order, const Work& work, const PacketReader::Packet& packet) {
    const Settings& settings = settings_.current();
    const std::string host =
        order.host.ends_with('.') ? order.host.substr(0, order.host.size() - 1) : order.host;
    const std::string key = route_key(settings, order.sender, host);
    end_outdated_processes();
    auto id = choose(key);
    if (!id) id = start_process();
    if (!id) return report_failure(work, system_failure("").text);
    // Not before the fork: no process has a password in its memory but that of its order.
    const Route route = route_of(settings, order.sender, host);
    Secret password;
    if (route.credentials)
        password = Secret::joined({password_mark, password_of(home_, route, order.sender, host).view()});
    Process& process = processes_.at(*id);
    process.key = key;
    process.work = work;
    try {
        // An idle process has taken everything before: there is room. One that has just died is seen on its
        // channel.
        if (password.size() > 0) send_packet(process.channel.get(), password.view());
        send_packet(process.channel.get(), packet.data, packet.passed.get());
    } catch (const Error& error) {
        log_line("warning: " + std::string(error.what()));
        process.work.reset();
        end_process(process);
        report_failure(work, system_failure("").text);
    }
}

void Pool::end_outdated_processes() {
    for (auto& [id, process] : processes_)
        if (!process.work && !process.ending && process.settings != settings_.version()) end_process(process);
}

// An idle process that may be connected to the right place, else the one that has been idle longest.
std::optional<Pool::ProcessId> Pool::choose(const std::string& key) const {
    std::optional<ProcessId> best;
    bool best_fits = false;
    Clock::time_point best_since;
    for (const auto& [id, process] : processes_) {
        if (process.work || process.ending) continue;
        const bool fits = process.key == key;
        const bool better = fits != best_fits ? fits : fits == (process.idle_since > best_since);
        if (best && !better) continue;
        best = id;
        best_fits = fits;
        best_since = process.idle_since;
    }
    return best;
}

std::optional<Pool::ProcessId> Pool::start_process() {
    try {
        auto [ours, theirs] = make_packet_pair();
        const pid_t child = ::fork();
        if (child < 0) throw_errno("start", "a process");
        if (child == 0) {
            ours.reset();
            become_worker(std::move(theirs));
        }
        set_nonblocking(ours.get(), true);
        const ProcessId id = next_id_++;
        loop_.add(ours.get(), EPOLLIN, [this, id](std::uint32_t) { on_process(id); });
        processes_[id].channel = std::move(ours);
        processes_[id].settings = settings_.version();
        return id;
    } catch (const Error& error) {
        log_line("warning: " + std::string(error.what()));
        return std::nullopt;
    }
}

void Pool::become_worker(Fd channel) {
    try {
        EventLoop::restore_signals();
        // The parent's table of processes, and with it their channels, stays in memory but is closed here.
        close_all_but({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO,
                       line_.holds_lock() ? start::spawner_heirs : -1, timeouts_.fd(), memory_.servers().fd(),
                       channel.get()});
        settings_.keep();
        show_addresses_in_titles(!settings_.current().hide_addresses);
        control::enter(control::remote_cage, home_, authority_files(home_, settings_.current()));
        serve_orders(home_, settings_, timeouts_, memory_, channel.get());
        ::_exit(static_cast<int>(Exit::success));
    } catch (const std::exception& error) {
        log_line("qmail-remote: " + std::string(error.what()));
    }
    ::_exit(static_cast<int>(Exit::temporary));
}

void Pool::on_process(ProcessId id) {
    Process& process = processes_.at(id);
    if (!take_report(process)) return process_ended(id);
    process.work.reset();
    process.idle_since = Clock::now();
    if (line_.retired() || process.settings != settings_.version()) end_process(process);
}

// False if the process has ended, or says what nobody asked it.
bool Pool::take_report(Process& process) {
    try {
        auto packet = receive_packet(process.channel.get(), send::packet_limit);
        if (!packet) return false;
        const auto decoded = send::decode_report(packet->data);
        const bool right = decoded && process.work && decoded->delivery == process.work->delivery &&
                           (decoded->recipients.size() == process.work->recipients ||
                            ((line_.retired() || process.cut) && decoded->recipients.empty()));
        if (!right) return false;
        if (process.cut && decoded->recipients.empty())
            report_failure(*process.work, std::string(send::cut_text));
        else
            line_.report(decoded->delivery, std::move(packet->data));
        return true;
    } catch (const Error& error) {
        log_line("warning: " + std::string(error.what()));
        return false;
    }
}

void Pool::process_ended(ProcessId id) {
    const auto node = processes_.extract(id);
    const Process& process = node.mapped();
    loop_.remove(process.channel.get());
    if (process.work)
        report_failure(*process.work,
                       process.cut ? std::string(send::cut_text) : "qmail-remote crashed. (#4.3.0)\n");
}

// It sees the end of its orders, says QUIT, or cuts off what it does (interruption.h), and ends; its channel
// tells when.
void Pool::end_process(Process& process) {
    process.ending = true;
    ::shutdown(process.channel.get(), SHUT_WR);
}

void Pool::end_idle_processes(Clock::time_point idle_since_before) {
    for (auto& [id, process] : processes_)
        if (!process.work && !process.ending && process.idle_since < idle_since_before) end_process(process);
    if (!line_.retired()) loop_.after(idle_check, [this] { end_idle_processes(Clock::now() - idle_limit); });
}

void Pool::report_failure(const Work& work, const std::string& text) {
    Result result;
    result.message = {Letter::temporary, text};
    send::Report failed = to_report(result, work.recipients);
    failed.delivery = work.delivery;
    line_.report(work.delivery, send::encode(failed));
}

void Pool::retire() {
    for (auto& [id, process] : processes_)
        if (!process.ending) end_process(process);
}

// By hand, as at a restart: before the final dot at once, behind it the server has a minute to answer.
void Pool::cut(std::uint64_t delivery) {
    for (auto& [id, process] : processes_) {
        if (!process.work || process.work->delivery != delivery) continue;
        process.cut = true;
        if (!process.ending) end_process(process);
    }
}

}  // namespace relais::remote
