#include "summary/due.h"

#include <signal.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <optional>

#include "auth/users_directory.h"
#include "base/error.h"
#include "base/program.h"
#include "base/text.h"
#include "base/time.h"
#include "control/owners.h"
#include "control/setting.h"
#include "queue/client.h"
#include "summary/collect.h"

namespace relais::summary {
namespace {

constexpr Seconds patience{120};

std::uint64_t now() {
    return static_cast<std::uint64_t>(now_seconds());
}

Facts facts_of(const control::Home& home, const Counted& counted, const State& state) {
    Facts facts;
    facts.host = control::read<"me">(home);
    facts.since = state.since;
    facts.now = now();
    facts.before = state.before;
    facts.counted = counted.counted;
    facts.grown = growth(state.counted, counted.numbers);
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

// What is to be sent, or nothing; then nobody else sends it within the hour.
std::optional<State> claim(const control::Home& home, const control::Owners& owners, Every every) {
    auto state = read_state(home);
    // A clock that was set back would have it wait for years.
    if (!state || state->since > now() + retry_seconds) {
        state = State{};
        state->since = now();
        state->counted = look_at_numbers(home, owners).numbers;
        write_state(home, *state);
        log_line("the first summary is of the time from now on");
        return std::nullopt;
    }
    if (!is_due(every, state->since, now())) return std::nullopt;
    if (state->trying <= now() && now() - state->trying < retry_seconds) return std::nullopt;
    state->trying = now();
    write_state(home, *state);
    return state;
}

void submit(const control::Home& home, const Letter& letter, const std::string& text) {
    queue::Submission submission(home, queue::Door::submit, Deadline::in(patience), false);
    submission.write(message_of(letter, text));
    const queue::SubmitAnswer answer = submission.finish("", {letter.to});
    if (answer.code != queue::SubmitCode::accepted)
        throw Error(Reaction::temporary,
                    "unable to send the summary: " + queue::submit_text(answer.code, answer.text));
    log_line("summary sent to " + safe_for_log(letter.to) + ": msg " + std::to_string(answer.id));
}

}  // namespace

void send_if_due(const control::Home& home) {
    const std::string line = control::read<"summary">(home);
    if (line.empty()) return;
    const auto setting = parse_setting(line);
    if (!setting)
        throw_permanent(
            "control/summary: not \"daily\" or \"weekly\", with an address behind it or without: " +
            safe_for_log(line));
    const control::Owners owners = control::Owners::read(home);
    const auto lock = auth::lock_run(home, "summary.lock");
    if (!lock) return;
    const auto state = claim(home, owners, setting->every);
    if (!state) return;
    const Counted counted = look_at_numbers(home, owners);
    const Facts facts = facts_of(home, counted, *state);
    const std::string me = facts.host;
    const Letter letter{control::read<"bouncefrom">(home) + "@" + control::read<"bouncehost">(home),
                        setting->address.empty() ? "postmaster@" + me : setting->address, me, facts.since,
                        facts.now};
    const std::string text = say(home, owners, facts);
    // Neither a restart nor its own time comes between the mail and the note that it was sent.
    ::signal(SIGTERM, SIG_IGN);
    ::alarm(0);
    submit(home, letter, text);
    write_state(home, {facts.now, facts.now - facts.since, 0, counted.numbers, facts.grown});
}

std::string text_now(const control::Home& home) {
    const control::Owners owners = control::Owners::read(home);
    const State state = read_state(home).value_or(State{});
    return say(home, owners, facts_of(home, look_at_numbers(home, owners), state));
}

}  // namespace relais::summary
