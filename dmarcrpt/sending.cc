// Two processes. The one that reads traces is qmailt, in a cage (dmarcrpt/collector.h). The other one is
// its caller, whose mail is signed: it has the letters queued, notes what was sent, and believes of the
// first nothing but packets that decode_packets lets pass.
#include "dmarcrpt/sending.h"

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include "auth/users_directory.h"
#include "base/error.h"
#include "base/file.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "control/setting.h"
#include "dmarcrpt/collector.h"
#include "queue/client.h"
#include "trace/client.h"

namespace relais::dmarcrpt {
namespace {

constexpr std::uint64_t days_back = 3;
constexpr std::size_t state_limit = std::size_t{4} << 20;
constexpr mode_t state_mode = 0600;
constexpr Seconds patience_of_queue{120};
// By then what came before midnight is on the disk.
constexpr std::uint64_t after_midnight = 300;

std::uint64_t now() {
    return static_cast<std::uint64_t>(now_seconds());
}

// Neither a restart nor the run's own time comes between the mail and the note that it was sent.
class Undisturbed {
  public:
    Undisturbed() {
        sigset_t signals;
        ::sigemptyset(&signals);
        for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGALRM}) ::sigaddset(&signals, number);
        ::sigprocmask(SIG_BLOCK, &signals, &before_);
    }
    ~Undisturbed() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
    Undisturbed(const Undisturbed&) = delete;
    Undisturbed& operator=(const Undisturbed&) = delete;

  private:
    sigset_t before_{};
};

class Run {
  public:
    Run(const control::Home& home, Reporter reporter, Sending how)
        : home_(home), reporter_(std::move(reporter)), owners_(control::Owners::read(home)), how_(how) {}

    bool all() {
        read_state();
        const std::uint64_t today = (now() - after_midnight) / a_day * a_day;
        const std::uint64_t oldest = today - days_back * a_day;
        state_.drop_before(day_text(oldest));
        if (how_ == Sending::due && !claim(oldest, today)) return true;
        bool complete = true;
        for (std::uint64_t day = oldest; day < today; day += a_day) complete = send_day(day) && complete;
        if (complete && how_ == Sending::due) {
            state_.trying = 0;
            write_state();
        }
        return complete;
    }

  private:
    std::string path() const { return home_.path("users/dmarcreports"); }

    void read_state() {
        const auto text = read_file(path(), state_limit);
        if (!text) return;
        auto state = parse_run_state(*text);
        // Anew would be each report once more.
        if (!state)
            throw_permanent(path() + " is no state of dmarc-report: remove it, and all is sent again");
        state_ = *std::move(state);
    }

    void write_state() const {
        replace_file(path(), encode(state_), state_mode,
                     [&](int fd) { auth::give_to_owner_of_users(home_, fd); });
    }

    // Whether something is to be done now; then nobody else does it within the hour.
    bool claim(std::uint64_t oldest, std::uint64_t today) {
        bool whole = true;
        for (std::uint64_t day = oldest; day < today; day += a_day)
            whole = whole && state_.is_done(day_text(day), "*");
        if (whole) return false;
        if (state_.trying <= now() && now() - state_.trying < retry_seconds) return false;
        state_.trying = now();
        write_state();
        return true;
    }

    // True if none of the day is left.
    bool send_day(std::uint64_t begin) {
        const std::string day = day_text(begin);
        if (state_.is_done(day, "*")) return true;
        std::set<std::string> passed_over;
        bool complete = true;
        for (;;) {
            const auto packets = next_packets(home_, owners_, reporter_, state_, begin, passed_over);
            if (packets.empty()) break;
            for (const Packet& packet : packets) {
                passed_over.insert(packet.domain);
                complete = take(day, packet) && complete;
            }
        }
        if (how_ == Sending::print || !complete) return complete;
        // A domain is not needed where the whole day is done.
        std::erase_if(state_.done, [&](const std::string& line) { return line.starts_with(day + " "); });
        state_.note_done(day, "*");
        write_state();
        return true;
    }

    // False if it has to wait.
    bool take(const std::string& day, const Packet& packet) {
        if (how_ == Sending::print) {
            say(day, packet);
            return true;
        }
        if (packet.fate == Fate::late) {
            log_line("warning: DNS does not say where reports on " + packet.domain + " go: tried again");
            state_.late.insert(day + " " + packet.domain);
            write_state();
            return false;
        }
        const Undisturbed undisturbed;
        if (packet.fate == Fate::send) submit(packet);
        state_.note_done(day, packet.domain);
        write_state();
        return true;
    }

    void submit(const Packet& packet) const {
        queue::Submission submission(home_, queue::Door::submit, Deadline::in(patience_of_queue), false);
        submission.write(letter_of(packet, reporter_, now_seconds()));
        const auto answer = submission.finish(reporter_.address, packet.to);
        if (answer.code != queue::SubmitCode::accepted)
            throw Error(Reaction::temporary, "unable to send the report on " + packet.domain + ": " +
                                                 queue::submit_text(answer.code, answer.text));
        log_line(fmt::format("report on {} sent to {}: msg {}", packet.domain, joined(packet.to), answer.id));
    }

    static std::string joined(const std::vector<std::string>& addresses) {
        std::string text;
        for (const std::string& address : addresses) text += (text.empty() ? "" : ", ") + address;
        return text;
    }

    static void say(const std::string& day, const Packet& packet) {
        const std::string what = packet.fate == Fate::send   ? "to " + joined(packet.to)
                                 : packet.fate == Fate::late ? "DNS does not say where"
                                                             : "nowhere";
        write_all(STDOUT_FILENO, fmt::format("{} {}: {}\n", day, packet.domain, what), Deadline::never());
    }

    const control::Home& home_;
    const Reporter reporter_;
    const control::Owners owners_;
    const Sending how_;
    RunState state_{};
};

}  // namespace

bool send_reports(const control::Home& home, Sending how) {
    const std::string line = control::read<"dmarcreports">(home);
    if (line.empty()) {
        if (how == Sending::due) return true;
        throw_permanent("there is no control/dmarcreports: no reports are sent");
    }
    Reporter reporter = Reporter::parse(line, control::read<"me">(home));
    if (!trace::is_kept(home))
        throw_permanent("there is no control/keeptrace, by which is kept what control/dmarcreports reports");
    const auto lock = auth::lock_run(home, "dmarcreports.lock");
    if (!lock) {
        if (how == Sending::due) return true;
        throw Error(Reaction::temporary, "dmarc-report send is at work already");
    }
    return Run(home, std::move(reporter), how).all();
}

}  // namespace relais::dmarcrpt
