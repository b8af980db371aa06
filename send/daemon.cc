#include "send/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/line_form.h"
#include "base/time.h"
#include "control/setting.h"
#include "metrics/count.h"
#include "send/settings.h"
#include "start/descriptors.h"

namespace relais::send {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t reports_at_once = 64;
constexpr std::size_t hint_octets = 8;
// With less room than that left in the pipe, hints may have been dropped.
constexpr std::size_t hint_room = 4096;
// Between two looks at control files.
constexpr auto look_pause = 5s;
// qmail-queued syncs and answers; what takes longer is tried again later.
constexpr auto bounce_patience = 60s;

std::uint64_t random_number() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) return now_microseconds();
    return number;
}

std::uint64_t get_number(std::string_view data, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(data[at + i]);
    return value;
}

std::string put_number(std::uint64_t value) {
    std::string out;
    for (int i = 0; i < 8; ++i) out += static_cast<char>((value >> (8 * i)) & 0xff);
    return out;
}

// A message has one request at a time, so any child will do.
SlowWorker& least_busy(std::vector<SlowWorker>& workers) {
    return *std::min_element(workers.begin(), workers.end(), [](const SlowWorker& a, const SlowWorker& b) {
        return a.requests() < b.requests();
    });
}

}  // namespace

// Requests to those that report: the message's id, the kind of report, its text. Answers of the children: the
// message's id, then "" or what went wrong; or the kind of report, that of a BounceResult, qp and text.
SlowWorker::Work record_work(const control::Home& home) {
    return [store = queue::Store(home)](const std::string& request) {
        const auto record = decode_failure_record(request);
        if (!record) return put_number(0);
        return put_number(record->message) + record_failure(store, *record);
    };
}

SlowWorker::Work bounce_work(const control::Home& home) {
    return [home, store = queue::Store(home)](const std::string& request) {
        const std::uint64_t id = request.size() >= 8 ? get_number(request, 0) : 0;
        const char kind = request.size() >= 9 ? request[8] : '\0';
        const BounceResult result =
            submit_report(home, store, id, static_cast<ReportKind>(kind), id == 0 ? "" : request.substr(9),
                          Deadline::in(bounce_patience));
        return put_number(id) + kind + static_cast<char>(result.kind) + put_number(result.qp) + result.text;
    };
}

Daemon::Daemon(const control::Home& home, std::vector<SlowWorker>& recorders,
               std::vector<SlowWorker>& bouncers, std::string_view retired, Signing& signing)
    : home_(home),
      signing_(signing),
      trace_(home, "trace-send", [](std::size_t records) { metrics::count("send.trace_lost", records); }),
      recorders_(recorders),
      bouncers_(bouncers),
      watch_(home),
      rules_watch_(home),
      sender_(home, read_settings(home), *this, random_number()),
      control_(loop_, start::send_control_socket,
               [this](const ControlRequest& request) {
                   tell_time();
                   if (request.verb == ControlVerb::rules) return rules_text();
                   ControlAnswer answer = sender_.control(request);
                   if (request.verb == ControlVerb::stat)
                       answer.text += "signals " + std::to_string(signals_) + "\n";
                   return answer;
               }),
      reports_(packet_limit, reports_at_once) {
    watch_.record([&] {
        Settings unused;
        read_numbers(home, unused);
        read_signing();
        read_log_form();
        read_turns();
    });
    watch_.add(home.path("control/dkim"));
    tell_time();

    set_nonblocking(start::send_hint_pipe, true);
    const int size = ::fcntl(start::send_hint_pipe, F_GETPIPE_SZ);
    hint_pipe_size_ = size > 0 ? static_cast<std::size_t>(size) : 65536;
    loop_.add(start::send_hint_pipe, EPOLLIN, [this](std::uint32_t) { on_hints(); });
    take_spawners(retired);
    const int turns = start::send_retired + static_cast<int>(retired.size()) + 1;
    if (listens_for_turns(turns))
        turn_server_.emplace(loop_, turns, [this](std::string_view domain) { on_turn(domain); });
    for (SlowWorker& recorder : recorders_)
        recorder.attach(
            loop_, [this](const std::string& answer) { on_recorded(answer); },
            [this] { on_worker_death("recorder"); });
    for (SlowWorker& bouncer : bouncers_)
        bouncer.attach(
            loop_, [this](const std::string& answer) { on_bounced(answer); },
            [this] { on_worker_death("bouncer"); });
    take_signals();
    loop_.before_wait([this] { return before_wait(); });
}

void Daemon::take_signals() {
    loop_.on_signal(SIGTERM, [this] {
        tell_time();
        sender_.exit_soon();
    });
    loop_.on_signal(SIGALRM, [this] {
        tell_time();
        sender_.flush();
        ++signals_;
    });
    loop_.on_signal(SIGHUP, [this] {
        reread();
        ++signals_;
    });
}

int Daemon::run() {
    sender_.log_status();
    sender_.try_noted();
    // The pipe is open: whatever the scan misses has its hint in there.
    sender_.start_scan();
    loop_.run();
    log("status: exiting");
    log_.flush();
    return exit_code_;
}

void Daemon::tell_time() {
    const auto monotonic =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
    sender_.set_time(now_microseconds(), static_cast<std::uint64_t>(monotonic));
}

bool Daemon::before_wait() {
    tell_time();
    read_changed_settings();
    const bool more_to_scan = sender_.scan_step() | sender_.turn_step();
    const bool more_work = sender_.work();
    if (sender_.exiting()) {
        retire_spawners();
        drop_slow_work();
    }
    flush_spawners();
    if (sender_.exiting() && sender_.finished()) {
        loop_.stop();
        return false;
    }
    log_.flush();
    trace_.flush();
    if (!more_to_scan && !more_work) arm_timer();
    return more_to_scan || more_work;
}

ControlAnswer Daemon::rules_text() const {
    const std::string& trouble = rules_watch_.trouble();
    return {true, trouble.empty() ? "" : trouble + "\n"};
}

// An earlier timer than needed only costs a look.
void Daemon::arm_timer() {
    const auto at = std::min(Clock::now() + std::chrono::seconds(sender_.seconds_to_next()), next_look_);
    if (timer_ != 0 && timer_at_ <= at) return;
    if (timer_ != 0) loop_.cancel(timer_);
    timer_at_ = at;
    timer_ = loop_.at(at, [this] { timer_ = 0; });
}

void Daemon::read_changed_settings() {
    if (Clock::now() < next_look_) return;
    next_look_ = Clock::now() + look_pause;
    read_changed_rules();
    sender_.count_queue();
    if (!watch_.changed()) return;
    try {
        Settings settings = sender_.settings();
        watch_.record([&] {
            read_numbers(home_, settings);
            read_signing();
            read_log_form();
            read_turns();
        });
        sender_.reload(std::move(settings));
        sender_.log_status();
    } catch (const Error& error) {
        log(std::string("alert: unable to reread controls: ") + error.what());
    }
}

void Daemon::read_changed_rules() {
    RulesWatch::News news = rules_watch_.look(sender_.settings().rules, Clock::now(), look_pause);
    if (!news.alert.empty()) log("alert: " + news.alert);
    if (!news.rules) return;
    Settings settings = sender_.settings();
    settings.rules = *std::move(news.rules);
    sender_.reload(std::move(settings));
    log("locals and virtualdomains have changed: they count from now on");
}

void Daemon::reread() {
    rules_watch_.forget();
    try {
        sender_.reload(read_settings(home_));
        read_signing();
        read_log_form();
        read_turns();
    } catch (const Error& error) {
        log(std::string("alert: unable to reread controls: ") + error.what());
    }
}

void Daemon::read_log_form() {
    log_as_json(control::read<"logformat">(home_) == "json");
    keeps_trace_ = trace::is_kept(home_);
}

void Daemon::read_turns() {
    turns_.allow(control::DomainSet(control::read<"etrn">(home_)));
}

void Daemon::on_turn(std::string_view domain) {
    const std::string name = turns_.take(domain, Clock::now());
    if (name.empty() || sender_.exiting()) return;
    tell_time();
    sender_.turn(name);
}

void Daemon::tell(const Event& event) {
    if (!event.classic().empty()) log_.line(log_text_of(event, program_name()));
    // What is about no message is for the log alone.
    if (keeps_trace_ && event.name() != "text" && event.name() != "status") trace_.put(event);
}

void Daemon::read_signing() {
    for (const std::string& mistake : signing_.read()) log("warning: " + mistake);
}

void Daemon::on_hints() {
    int waiting = 0;
    if (::ioctl(start::send_hint_pipe, FIONREAD, &waiting) == 0 &&
        static_cast<std::size_t>(waiting) + hint_room > hint_pipe_size_)
        sender_.start_scan();
    std::array<char, 65536> buffer;
    const ssize_t count = ::read(start::send_hint_pipe, buffer.data(), buffer.size());
    if (count < 0 && errno != EAGAIN && errno != EINTR) throw_errno("read", "the hint pipe");
    // Hints are written whole, so they are read whole.
    for (std::size_t at = 0; count > 0 && at + hint_octets <= static_cast<std::size_t>(count);
         at += hint_octets)
        sender_.hint(get_number(std::string_view(buffer.data(), buffer.size()), at));
    if (count == 0) loop_.remove(start::send_hint_pipe);  // qmail-start has ended: SIGTERM comes
}

void Daemon::on_recorded(const std::string& answer) {
    if (answer.size() < 8) return;
    tell_time();
    sender_.failure_recorded(get_number(answer, 0), answer.substr(8));
}

void Daemon::on_bounced(const std::string& answer) {
    if (answer.size() < 18) return;
    tell_time();
    const auto report = static_cast<ReportKind>(answer[8]);
    const BounceResult result{static_cast<BounceResult::Kind>(answer[9]), get_number(answer, 10),
                              answer.substr(18)};
    if (report == ReportKind::failure)
        sender_.bounce_done(get_number(answer, 0), result);
    else
        sender_.reported(get_number(answer, 0), report, result);
}

void Daemon::record(FailureRecord record) {
    least_busy(recorders_).ask(encode(record));
}
void Daemon::bounce(queue::MessageId id, std::string unrecorded) {
    report(id, ReportKind::failure, std::move(unrecorded));
}
void Daemon::report(queue::MessageId id, ReportKind kind, std::string text) {
    least_busy(bouncers_).ask(put_number(id) + static_cast<char>(kind) + text);
}

// Thousands of failures can wait for the disk: their recipients are tried again after the next start.
void Daemon::drop_slow_work() {
    for (std::vector<SlowWorker>* workers : {&recorders_, &bouncers_})
        for (SlowWorker& worker : *workers) sender_.not_done(worker.drop_waiting());
}

// Nothing durable is lost, but nothing can be finished either: everything starts anew.
void Daemon::on_worker_death(std::string_view name) {
    log("alert: the " + std::string(name) + " has ended; exiting");
    exit_code_ = 111;
    loop_.stop();
}

}  // namespace relais::send
