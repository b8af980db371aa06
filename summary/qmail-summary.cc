// qmail-summary sends the postmaster a summary of the mail by the day or week: how much came and went beside
// the period before, who was refused and why, slow destinations, accounts that send unusually, certificates
// that end, the disk.
//
//   qmail-summary --due      sends it if a period has ended since the last one; qmail-console asks so every few
//                            minutes, a timer of the system may
//   qmail-summary --print    prints what it would say now
//
// Trust: run by root or the instance's one user. What roles and strangers wrote is read by processes that
// have become qmailm and qmailt in their cages; this one takes numbers from the first and lines of text from
// the second. users/summary, root's own, has what was counted when the period began.
//
// Inputs: control/summary, metrics/, trace/, certificates, users/summary. Exit codes: 0 done, or nothing is
// due; 100 wrong usage or settings; 111 temporary: it is tried again an hour later.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/held_directory.h"
#include "base/io.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "control/owners.h"
#include "control/setting.h"
#include "control/tool.h"
#include "queue/client.h"
#include "summary/collect.h"

namespace {

using namespace relais;

// All of it, or somebody has taken over a process that reads.
constexpr unsigned most_seconds = 1200;
// Between two tries. More than most_seconds, so that no two are at it.
constexpr std::uint64_t retry = 3600;
constexpr Seconds patience{120};

std::uint64_t now() {
    return static_cast<std::uint64_t>(now_seconds());
}

summary::Facts facts_of(const control::Home& home, const summary::Counted& counted,
                        const summary::State& state) {
    summary::Facts facts;
    facts.host = control::read<"me">(home);
    facts.since = state.since;
    facts.now = now();
    facts.before = state.before;
    facts.counted = counted.counted;
    facts.grown = summary::growth(state.counted, counted.numbers);
    facts.earlier = state.earlier;
    facts.levels = counted.numbers;
    facts.certificates = counted.certificates;
    struct statvfs disk {};
    if (::statvfs(home.path("queue").c_str(), &disk) == 0) {
        facts.free_octets = disk.f_bavail * disk.f_frsize;
        facts.all_octets = disk.f_blocks * disk.f_frsize;
    }
    return facts;
}

// Held by one run at a time, and root's alone: users/ itself anybody may lock. Nothing if another run has it.
std::optional<Fd> lock_summary(const control::Home& home) {
    const HeldDirectory users(home.path("users"));
    Fd lock = users.open("summary.lock", O_RDWR | O_CREAT | O_NONBLOCK, 0600);
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK) throw_errno("lock", users.path_of("summary.lock"));
    return std::nullopt;
}

// What is to be sent, or nothing; then nobody else sends it within the hour.
std::optional<summary::State> claim(const control::Home& home, const control::Owners& owners,
                                    summary::Every every) {
    auto state = summary::read_state(home);
    // A clock that was set back would have it wait for years.
    if (!state || state->since > now() + retry) {
        state = summary::State{};
        state->since = now();
        state->counted = summary::look_at_numbers(home, owners).numbers;
        summary::write_state(home, *state);
        log_line("the first summary is of the time from now on");
        return std::nullopt;
    }
    if (!summary::is_due(every, state->since, now())) return std::nullopt;
    if (state->trying <= now() && now() - state->trying < retry) return std::nullopt;
    state->trying = now();
    summary::write_state(home, *state);
    return state;
}

void submit(const control::Home& home, const summary::Letter& letter, const std::string& text) {
    queue::Submission submission(home, queue::Door::submit, Deadline::in(patience), false);
    submission.write(summary::message_of(letter, text));
    const queue::SubmitAnswer answer = submission.finish("", {letter.to});
    if (answer.code != queue::SubmitCode::accepted)
        throw Error(Reaction::temporary,
                    "unable to send the summary: " + queue::submit_text(answer.code, answer.text));
    log_line("summary sent to " + safe_for_log(letter.to) + ": msg " + std::to_string(answer.id));
}

int send_if_due(const control::Home& home) {
    const std::string line = control::read<"summary">(home);
    if (line.empty()) return 0;
    const auto setting = summary::parse_setting(line);
    if (!setting)
        throw_permanent(
            "control/summary: not \"daily\" or \"weekly\", with an address behind it or without: " +
            safe_for_log(line));
    const control::Owners owners = control::Owners::read(home);
    const auto lock = lock_summary(home);
    if (!lock) return 0;
    const auto state = claim(home, owners, setting->every);
    if (!state) return 0;
    const summary::Counted counted = summary::look_at_numbers(home, owners);
    const summary::Facts facts = facts_of(home, counted, *state);
    const std::string me = facts.host;
    const summary::Letter letter{control::read<"bouncefrom">(home) + "@" + control::read<"bouncehost">(home),
                                 setting->address.empty() ? "postmaster@" + me : setting->address, me,
                                 facts.since, facts.now};
    const std::string text = summary::say(home, owners, facts);
    // Neither a restart nor its own time comes between the mail and the note that it was sent.
    ::signal(SIGTERM, SIG_IGN);
    ::alarm(0);
    submit(home, letter, text);
    summary::write_state(home, {facts.now, facts.now - facts.since, 0, counted.numbers, facts.grown});
    return 0;
}

int print(const control::Home& home) {
    const control::Owners owners = control::Owners::read(home);
    const summary::State state = summary::read_state(home).value_or(summary::State{});
    const summary::Facts facts = facts_of(home, summary::look_at_numbers(home, owners), state);
    write_all(STDOUT_FILENO, summary::say(home, owners, facts), Deadline::never());
    return 0;
}

int work(const Arguments& arguments) {
    const auto home = control::Home::from_environment();
    ::alarm(most_seconds);
    if (arguments == Arguments{"--due"}) return send_if_due(home);
    if (arguments == Arguments{"--print"}) return print(home);
    throw_permanent("usage: qmail-summary --print | --due");
}

}  // namespace

int main(int argc, char** argv) {
    return control::run_tool("qmail-summary", argc, argv, work);
}
