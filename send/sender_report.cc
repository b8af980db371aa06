// What the sender is told beside failures: a warning of a delay, once, and of deliveries, where DSN asks for
// it (RFC 3461). A crash at the wrong moment loses such a report: only failures are never lost.
#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "mail/address.h"
#include "mail/enhanced_status.h"
#include "mail/null_sender.h"
#include "send/active.h"
#include "send/bounce.h"
#include "send/log_text.h"

namespace relais::send {
namespace {

constexpr std::size_t reason_limit = 500;
// With their own reasons: a warning has no place for more.
constexpr std::size_t delays_kept = 5000;

// A program that sends to many, by the usual forms of its address; the header tells of others.
bool is_list_sender(std::string_view sender) {
    const std::string_view local = mail::split_address(sender).local;
    return is_verp(sender) || local.starts_with("owner-") ||
           local.find("-return-") != std::string_view::npos || local.ends_with("-owner") ||
           local.ends_with("-request") || local.ends_with("-bounces");
}

bool is_our_own_users(mail::Submitter::Kind kind) {
    using Kind = mail::Submitter::Kind;
    return kind == Kind::login || kind == Kind::certificate || kind == Kind::rule ||
           kind == Kind::open_smtp || kind == Kind::local;
}

bool is_open(RecipientState state) {
    return state == RecipientState::open || state == RecipientState::deferred;
}

}  // namespace

RecipientFacts Sender::facts_of(const Active& active, std::uint32_t recipient, const RecipientReport& result,
                                const std::string& server) const {
    const queue::Recipient& of = active.stored.envelope.recipients[recipient];
    RecipientFacts facts{rewrite(settings_.rules, of.address).plain, of.options.orcpt, result.status,
                         result.diagnostic};
    facts.reason = result.text.substr(0, reason_limit);
    if (facts.status.empty())
        facts.status = mail::enhanced_status(status_class(result.outcome), result.diagnostic, result.text);
    facts.server = server;
    facts.when = wall();
    return facts;
}

bool Sender::wants_warning(const Active& active, std::uint32_t recipient) {
    const queue::Envelope& envelope = active.stored.envelope;
    if (mail::is_null_sender(envelope.sender)) return false;
    const mail::Notify& notify = envelope.recipients.options(recipient).notify;
    if (notify.said()) return notify.delay;
    return is_our_own_users(envelope.options.submitter.kind) && !is_list_sender(envelope.sender);
}

// When the sender is to be warned, in unix seconds: when he wanted it to be delivered, or after
// control/delaywarning.
std::int64_t Sender::warning_time(const Active& active) const {
    const auto& by = active.stored.envelope.options.deliver_by;
    return by && !by->returns ? by->when : beginning(active.id()) + settings_.delay_warning;
}

// No warning is owed of a message of which nobody wants one, or that has been tried since it was due: the try
// before this one has told of it, in this life of qmail-send or the last.
bool Sender::was_warned(Active& active) const {
    const queue::Status& status = active.stored.status;
    if (status.tries > 0 && status.last_try >= warning_time(active)) return true;
    if (!active.warning_wanted) {
        active.warning_wanted = false;
        for (std::uint32_t i = 0; i < active.states.size() && !*active.warning_wanted; ++i)
            active.warning_wanted = wants_warning(active, i);
    }
    return !*active.warning_wanted;
}

bool Sender::is_delayed(queue::MessageId id) const {
    const auto times = times_.find(id);
    if (times != times_.end() && times->second.due > 0 && !times->second.returns)
        return times->second.due <= wall();
    return settings_.delay_warning > 0 && age(id) >= settings_.delay_warning;
}

// Kept only where a warning will be sent in this round.
void Sender::note_delayed(Active& active, std::uint32_t recipient, const RecipientReport& result,
                          const Report& report) {
    if (active.delayed.size() >= delays_kept || !is_delayed(active.id()) || was_warned(active) ||
        !wants_warning(active, recipient))
        return;
    const RecipientFacts facts = facts_of(active, recipient, result, report.server);
    active.delayed.push_back({recipient, bounce_paragraph(facts.address, result.text) + encode(facts)});
}

void Sender::warn_of_delay(Active& active, const std::string& reason) {
    if (!is_delayed(active.id()) || active.dying || was_warned(active)) return;
    std::string text;
    for (std::uint32_t i = 0; i < active.states.size(); ++i) {
        if (!is_open(active.states[i]) || !wants_warning(active, i)) continue;
        const auto found = std::find_if(active.delayed.begin(), active.delayed.end(),
                                        [i](const Active::Failure& delay) { return delay.recipient == i; });
        if (found != active.delayed.end()) {
            text += found->paragraph;
        } else {
            const RecipientFacts facts = facts_of(active, i, {Outcome::temporary, reason}, "");
            text += bounce_paragraph(facts.address, reason) + encode(facts);
        }
        if (text.size() > record_text_limit) break;
    }
    if (text.empty()) return;
    if (KnownMessages::Entry* entry = known_.find(active.id())) entry->warned = true;
    active.stored.status.tries = std::max(active.stored.status.tries, std::uint32_t{1});
    active.stored.status.last_try = wall();
    try {
        store_.write_status(active.stored);
    } catch (const Error& error) {
        if (error.number() == ENOENT) return;
        out_.log(alert_text(error));  // at worst it is warned of once more
    }
    ++under_way_;
    out_.report(active.id(), ReportKind::delay, std::move(text));
}

// Of one that was delivered, or handed on to a server that does not tell what becomes of it.
void Sender::note_delivered(Active& active, std::uint32_t recipient, const RecipientReport& result,
                            const Running& running, const Report& report) {
    const bool local = running.channel == Channel::local;
    const mail::Notify& notify = active.stored.envelope.recipients.options(recipient).notify;
    // RFC 2852: whoever gets it from here is told of, where that was asked for or nobody watches the time.
    const auto& by = active.stored.envelope.options.deliver_by;
    const bool traced = by && !local && !notify.never && (by->trace || !report.deliver_by);
    if (!traced && (!notify.success || report.dsn)) return;
    RecipientFacts facts = facts_of(active, recipient, result, local ? "" : report.server);
    if (!local) facts.relayed = "yes";
    const std::string words = local
                                  ? "It was delivered."
                                  : "It was handed on to " + report.server +
                                        (report.deliver_by ? ", with the time that is left."
                                                           : ", which tells nothing of what becomes of it.");
    active.delivered.push_back({recipient, bounce_paragraph(facts.address, words) + encode(facts)});
}

void Sender::report_deliveries(Active& active) {
    std::string text;
    for (const Active::Failure& delivery : active.delivered) {
        text += delivery.paragraph;
        if (text.size() > record_text_limit) break;
    }
    active.delivered.clear();
    active.stage = Stage::reporting;
    ++under_way_;
    out_.report(active.id(), ReportKind::success, std::move(text));
}

void Sender::reported(queue::MessageId id, ReportKind kind, const BounceResult& result) {
    --under_way_;
    const std::string_view what = kind == ReportKind::delay ? "warning of a delay" : "delivery report";
    if (result.kind == BounceResult::Kind::accepted)
        out_.tell(Event("report", fmt::format("report msg {} qp {}: {}", id, result.qp, what))
                      .with("msg", id)
                      .with("qp", result.qp)
                      .with("text", what));
    else if (result.kind == BounceResult::Kind::trouble)
        out_.log(fmt::format("warning: trouble injecting the {} of message {}: {}", what, id, result.text));
    const auto found = window_.find(id);
    if (kind != ReportKind::success || found == window_.end()) return;
    if (found->second->stage != Stage::reporting) return;
    found->second->stage = Stage::working;
    settle(*found->second);
}

}  // namespace relais::send
