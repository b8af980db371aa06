// What the sender is told of failures: in the end by one bounce for all that is left, and before by bounces
// for what has failed so far, for a message may wait a week for its last recipient.
#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "metrics/count.h"
#include "send/active.h"
#include "send/bounce.h"
#include "send/bounce_hints.h"

namespace relais::send {
namespace {

// Between the first early bounce of a message and the second; then twice as long each time, so that a
// thousand failures are no thousand bounces.
constexpr std::uint32_t first_gap = 600;
constexpr std::uint32_t longest_gap = 1'000'000;

// Failures gather so long while others of the message are under way: the sender hears of them within five
// minutes.
constexpr std::uint32_t gathering_time = 240;

}  // namespace

// They are told to the sender, or recorded until that can be done, by settle.
void Sender::fail(Active& active, const std::vector<std::uint32_t>& recipients,
                  const std::vector<Failing>& failures) {
    active.had_failures = true;
    for (std::size_t i = 0; i < recipients.size(); ++i) {
        const queue::Recipient& recipient = active.stored.envelope.recipients[recipients[i]];
        if (!recipient.options.notify.wants_failure()) {
            active.set(recipients[i], RecipientState::done);
            active.unmarked.push_back(recipients[i]);
            continue;
        }
        const Route route = rewrite(settings_.rules, recipient.address);
        std::string text = failures[i].result.text;
        if (settings_.hints) {
            const std::string hint = bounce_hint_lines(*settings_.hints, text);
            text += (text.empty() || hint.empty() ? "" : "\n") + hint;
        }
        active.failures.push_back({recipients[i], bounce_paragraph(route.plain, text)});
        if (settings_.facts)
            active.failures.back().paragraph +=
                encode(facts_of(active, recipients[i], failures[i].result, failures[i].server));
        active.failure_octets += active.failures.back().paragraph.size();
        active.set(recipients[i], RecipientState::failing);
    }
    if (active.tell_at != 0 || active.states.size() == 1) return;
    const auto told = told_.find(active.id());
    active.tell_at = std::max(now() + gathering_time, told == told_.end() ? 0 : told->second.next);
    tell_.emplace(active.tell_at, active.id());
}

void Sender::fail_all(Active& active, const std::vector<std::uint32_t>& recipients, const std::string& reason,
                      std::string_view status) {
    const RecipientReport result{Outcome::permanent, reason, std::string(status)};
    fail(active, recipients, std::vector<Failing>(recipients.size(), {result, ""}));
}

// All that is left of the message are failures that one bounce can tell: what makes them last is the bounce
// itself. After a crash before that the recipients are tried once more.
bool Sender::ends_with_failures(const Active& active) const {
    return active.remaining == active.failing && active.failures.size() == active.failing &&
           active.failure_octets <= record_text_limit && !active.bounce_refused;
}

// Away from here, for it means to wait for the disk. As many as one record takes; the rest when that is done.
void Sender::record_failures(Active& active) {
    FailureRecord record{active.id(), {}, {}};
    while (!active.failures.empty() && record.text.size() < record_text_limit) {
        Active::Failure& next = active.failures.front();
        record.text += next.paragraph;
        record.recipients.push_back(active.stored.envelope.recipients[next.recipient]);
        active.failure_octets -= next.paragraph.size();
        active.recorded.push_back(std::move(next));
        active.failures.pop_front();
    }
    active.tell_at = 0;
    active.stage = Stage::recording;
    ++under_way_;
    out_.record(std::move(record));
}

void Sender::failure_recorded(queue::MessageId id, const std::string& trouble) {
    --under_way_;
    const auto found = window_.find(id);
    if (found == window_.end()) return;
    Active& active = *found->second;
    const Stage stage = active.stage;
    if (stage != Stage::recording && stage != Stage::marking) return;
    active.stage = Stage::working;
    if (stage == Stage::marking) return marked_as_told(active, trouble);
    if (trouble.empty()) {
        for (const Active::Failure& failure : active.recorded)
            active.set(failure.recipient, RecipientState::failed);
    } else {
        out_.log("alert: " + trouble);
        if (is_gone(id)) return forget(id);  // somebody removed the message: nobody is told
        for (const Active::Failure& failure : active.recorded)
            active.failure_octets += failure.paragraph.size();
        active.failures.insert(active.failures.begin(), std::make_move_iterator(active.recorded.begin()),
                               std::make_move_iterator(active.recorded.end()));
    }
    active.recorded.clear();
    if (!trouble.empty()) return stall(active);
    settle(active);
}

bool Sender::is_gone(queue::MessageId id) const {
    try {
        static_cast<void>(store_.open_for_delivery(id));
    } catch (const Error& error) {
        return error.number() == ENOENT;
    }
    return false;
}

void Sender::ask_for_bounce(Active& active) {
    std::string unrecorded;
    for (const Active::Failure& failure : active.failures) unrecorded += failure.paragraph;
    active.stage = Stage::bouncing;
    ++under_way_;
    out_.bounce(active.id(), std::move(unrecorded));
}

// What is said in one bounce must fit; a bounce that was refused waits until the message is taken up again.
bool Sender::may_tell(const Active& active) const {
    if (active.bounce_refused || active.failure_octets > record_text_limit) return false;
    const auto told = told_.find(active.id());
    return told == told_.end() || told->second.next <= now();
}

// When what may not be told now may be.
std::uint32_t Sender::next_telling(const Active& active) const {
    const auto told = told_.find(active.id());
    const std::uint32_t next = told == told_.end() ? 0 : told->second.next;
    return std::max(next, now() + bounce_pause);
}

// After a crash before its recipients are marked, those that are not recorded are tried once more, and told
// again.
void Sender::tell_early(Active& active) {
    active.telling = std::exchange(active.failures, {});
    active.failure_octets = 0;
    active.tell_at = 0;
    active.telling_recorded.clear();
    for (std::uint32_t i = 0; i < active.states.size(); ++i)
        if (active.states[i] == RecipientState::failed) active.telling_recorded.push_back(i);
    std::string unrecorded;
    for (const Active::Failure& failure : active.telling) unrecorded += failure.paragraph;
    active.stage = Stage::telling;
    ++under_way_;
    out_.bounce(active.id(), std::move(unrecorded));
}

// The bounce was refused.
void Sender::take_back(Active& active) {
    for (const Active::Failure& failure : active.telling) active.failure_octets += failure.paragraph.size();
    active.failures.insert(active.failures.begin(), std::make_move_iterator(active.telling.begin()),
                           std::make_move_iterator(active.telling.end()));
    active.telling.clear();
}

// Who has been told of is done. What is recorded gets its marks and loses its text elsewhere, for that means
// to wait for the disk.
void Sender::note_told(Active& active) {
    for (const Active::Failure& failure : active.telling) {
        active.set(failure.recipient, RecipientState::done);
        active.unmarked.push_back(failure.recipient);
    }
    active.telling.clear();
    Telling& telling = told_[active.id()];
    telling.gap = telling.gap == 0 ? first_gap : std::min(telling.gap * 2, longest_gap);
    telling.next = now() + telling.gap;
    if (active.telling_recorded.empty()) return settle(active);
    FailureRecord record{active.id(), {}, {}, true};
    for (const std::uint32_t recipient : active.telling_recorded)
        record.recipients.push_back(active.stored.envelope.recipients[recipient]);
    active.stage = Stage::marking;
    ++under_way_;
    out_.record(std::move(record));
}

void Sender::marked_as_told(Active& active, const std::string& trouble) {
    if (!trouble.empty()) {
        out_.log("alert: " + trouble);
        if (is_gone(active.id())) return forget(active.id());
        return stall(active);  // they are told once more, with the next ones
    }
    for (const std::uint32_t recipient : active.telling_recorded) active.set(recipient, RecipientState::done);
    settle(active);
}

void Sender::tell_what_has_gathered() {
    while (!tell_.empty() && tell_.begin()->first <= now()) {
        const queue::MessageId id = tell_.begin()->second;
        tell_.erase(tell_.begin());
        const auto found = window_.find(id);
        if (found == window_.end() || found->second->tell_at == 0 || found->second->tell_at > now()) continue;
        settle(*found->second);
    }
}

void Sender::bounce_done(queue::MessageId id, const BounceResult& result) {
    --under_way_;
    const auto found = window_.find(id);
    if (found == window_.end()) return;
    Active& active = *found->second;
    if (active.stage != Stage::telling && active.stage != Stage::bouncing) return;
    const bool early = std::exchange(active.stage, Stage::working) == Stage::telling;
    switch (result.kind) {
        case BounceResult::Kind::accepted:
            metrics::count("send.bounces", "sent");
            out_.tell(Event("bounce", fmt::format("bounce msg {} qp {}", id, result.qp))
                          .with("msg", id)
                          .with("qp", result.qp));
            break;
        case BounceResult::Kind::discarded:
            metrics::count("send.bounces", "discarded");
            out_.tell(
                Event("discard", fmt::format("triple bounce: discarding bounce/{}", id)).with("msg", id));
            break;
        case BounceResult::Kind::trouble:
            metrics::count("send.bounces", "refused");
            out_.log("warning: trouble injecting bounce message, will try later: " + result.text);
            if (is_gone(id)) return forget(id);
            if (early) take_back(active);
            active.bounce_refused = !std::exchange(active.bounce_requested, false);
            return settle(active);
    }
    early ? note_told(active) : end(active);
}

}  // namespace relais::send
