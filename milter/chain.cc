#include "milter/chain.h"

#include "base/error.h"
#include "base/text.h"

namespace relais::milter {

Chain::Chain(std::vector<control::Milter> milters, net::Resolver& resolver, std::string directory, Log log)
    : directory_(std::move(directory)), log_(std::move(log)), message_(directory_) {
    for (control::Milter& milter : milters) members_.push_back({Conversation(std::move(milter), resolver)});
}

Chain::~Chain() {
    for (Member& member : members_) member.conversation.quit();
}

void Chain::begin_transaction(const Facts& session, Facts mail) {
    session_ = session;
    mail_ = std::move(mail);
    for (Member& member : members_) {
        member.conversation.leave_transaction();
        member.of_sender.reset();
        member.begun = member.absent = false;
    }
    message_ = Message(directory_);
    message_.sender = fact(mail_, "sender");
    discarded_.reset();
    lost_.reset();
    trouble_.clear();
    too_large_ = false;
    changes_.clear();
}

template <class Ask>
std::optional<Verdict> Chain::ask(Member& member, Ask ask) {
    if (member.absent) return std::nullopt;
    try {
        return ask(member.conversation);
    } catch (const Error& error) {
        return without(member, error.what());
    }
}

std::optional<Verdict> Chain::without(Member& member, const std::string& why) {
    const control::Milter& milter = member.conversation.milter();
    member.conversation.quit();
    using WhenGone = control::Milter::WhenGone;
    if (milter.when_gone == WhenGone::accept) {
        member.absent = true;
        log_("warning: milter " + safe_for_log(milter.name) + ": " + why + ": mail passes without it");
        return std::nullopt;
    }
    const bool tries = milter.when_gone == WhenGone::tempfail;
    member.of_sender = Verdict{Verdict::Kind::refuse,
                               tries ? "451 a filter does not answer, try again later (#4.7.1)"
                                     : "554 a filter does not answer (#5.7.1)",
                               milter.name, why};
    // It has let recipients pass, and would not see their message.
    if (!message_.recipients.empty()) lost_ = member.of_sender;
    return member.of_sender;
}

void Chain::begin(Member& member, Deadline deadline) {
    if (std::exchange(member.begun, true)) return;
    member.of_sender = ask(member, [&](Conversation& c) { return c.begin(session_, mail_, deadline); });
    if (!member.of_sender) return;
    member.conversation.leave_transaction();
    if (member.of_sender->kind == Verdict::Kind::discard) discarded_ = member.of_sender;
}

Verdict Chain::recipient(const RecipientQuestion& question, Deadline deadline) {
    for (Member& member : members_) {
        if (!discarded_) begin(member, deadline);
        if (discarded_) break;
        if (member.of_sender) {
            if (!question.exempt) return *member.of_sender;
            continue;
        }
        const auto verdict = ask(member, [&](Conversation& c) {
            return c.recipient(question.address, question.parameters, deadline);
        });
        if (!verdict) continue;
        if (verdict->kind == Verdict::Kind::discard)
            discarded_ = verdict;
        else if (!question.exempt)
            return *verdict;
    }
    message_.recipients.push_back(question.address);
    return {};
}

void Chain::add_text(std::string_view text) {
    if (!trouble_.empty() || too_large_) return;
    try {
        message_.add_text(text);
    } catch (const Error& error) {
        too_large_ = error.reaction() == Reaction::permanent;
        trouble_ = error.what();
    }
}

Verdict Chain::end(Deadline deadline) {
    using Kind = Verdict::Kind;
    if (discarded_) return *discarded_;
    if (lost_) return *lost_;
    try {
        message_.end_text();
    } catch (const Error& error) {
        trouble_ = error.what();
    }
    if (too_large_) return {Kind::refuse, "552 the header is too large (#5.3.4)", "", trouble_};
    if (!trouble_.empty()) return {Kind::refuse, "452 no room for the message (#4.3.1)", "", trouble_};
    for (Member& member : members_) {
        if (member.of_sender) continue;
        const Message before = message_;
        const auto verdict = ask(member, [&](Conversation& c) { return c.judge(message_, deadline); });
        if (verdict) {
            for (Member& each : members_) each.conversation.leave_transaction();
            return *verdict;
        }
        note_changes(member, before);
        if (message_.recipients.empty())
            return {Kind::discard, "", member.conversation.milter().name, "it has taken all recipients away"};
    }
    return {};
}

void Chain::note_changes(const Member& member, const Message& before) {
    std::string what;
    const auto add = [&](bool did, std::string_view word) {
        if (did) what.append(what.empty() ? "" : ", ").append(word);
    };
    add(message_.fields() != before.fields(), "header");
    add(&message_.body() != &before.body(), "body");
    add(message_.sender != before.sender, "sender");
    add(message_.recipients != before.recipients, "recipients");
    add(message_.hold && !before.hold, "held");
    if (what.empty()) return;
    changes_.append(changes_.empty() ? "" : "; ").append(member.conversation.milter().name + ": " + what);
}

Outcome Chain::outcome() const {
    return {message_.hold, message_.hold_reason, changes_, message_.sender, message_.recipients};
}

}  // namespace relais::milter
