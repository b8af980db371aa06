#include "queue/change.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/error.h"
#include "base/time.h"
#include "control/owners.h"
#include "send/bounce.h"

namespace relais::queue {
namespace {

constexpr Seconds patience{10};
// qmail-send syncs before it answers bounce.
constexpr Seconds change_patience{60};

// In the words of qmail-send.
constexpr std::string_view bounced_by_hand = "The postmaster of this host has given this message up.";

}  // namespace

std::optional<send::ControlClient> connect_to_qmail_send(const control::Home& home) {
    try {
        return std::optional<send::ControlClient>(std::in_place, home, Deadline::in(patience));
    } catch (const Error& error) {
        if (error.number() == ENOENT || error.number() == ECONNREFUSED) return std::nullopt;
        if (error.number() == EACCES)
            throw Error(Reaction::permanent, "unable to ask qmail-send: " + errno_text(EACCES), EACCES);
        throw;
    }
}

void throw_helpfully(const control::Home& home, const Error& error) {
    const std::string text = error.what();
    if (error.number() == EACCES || error.number() == EPERM)
        throw Error(Reaction::permanent, text, error.number());  // run_tool says whom the queue is for
    if (error.number() == ENOENT || error.number() == ENOTDIR)
        throw Error(Reaction::temporary,
                    text + " (is the queue of " + home.directory() + " missing? qmail-setup --check " +
                        home.directory() + " tells)",
                    error.number());
    throw Error(error);
}

Changer::Changer(const control::Home& home) : home_(home), client_(connect_to_qmail_send(home)) {
    if (client_) return;
    const bool root = ::geteuid() == 0;
    const auto owners = root ? std::optional(control::Owners::read(home)) : std::nullopt;
    // Whoever makes the lock file owns it: what qmail-start would be.
    if (root && owners->single()) control::become(*owners, control::Role::qmails);
    take_lock();
    if (root && !owners->single()) control::become(*owners, control::Role::qmails);
}

void Changer::take_lock() {
    lock_ = open_send_lock(home_);
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return;
    if (errno != EWOULDBLOCK) throw_errno("lock", send_lock_path(home_));
    throw Error(Reaction::temporary,
                "qmail-send is starting, or has stopped and its last deliveries still run: try again",
                EWOULDBLOCK);
}

std::string Changer::why(MessageId id) {
    if (!client_) return "";
    const auto answer = client_->ask({send::ControlVerb::why, id}, Deadline::in(patience));
    return answer.ok ? answer.text.substr(0, answer.text.find_last_not_of('\n') + 1) : "";
}

send::ControlAnswer Changer::change(send::ControlVerb verb, MessageId id) {
    if (client_) return client_->ask({verb, id}, Deadline::in(change_patience));
    SeenMessage seen;
    const Load load = Store(home_).load(id, seen.message, true);
    if (load == Load::missing) return {false, "there is no such message"};
    if (load == Load::unfinished) return {false, "it is still being received"};
    if (load == Load::another_version) return {false, "another version of relais wrote it: it is left alone"};
    seen.damaged = load == Load::damaged;
    seen.message.id = id;
    if (seen.damaged && verb != send::ControlVerb::remove)
        return {false, "its file is damaged, or still being received: it can only be deleted"};
    return change_here(verb, seen);
}

send::ControlAnswer Changer::change_here(send::ControlVerb verb, SeenMessage& seen) {
    const Store store(home_);
    switch (verb) {
        case send::ControlVerb::hold:
        case send::ControlVerb::release:
            if (verb == send::ControlVerb::release && !seen.message.status.hold) send_early(seen.message);
            seen.message.status.hold = seen.message.status.by_hand = verb == send::ControlVerb::hold;
            store.write_status(seen.message);
            return {true, ""};
        case send::ControlVerb::retry:
            seen.message.status.next_try = now_seconds();
            send_early(seen.message);
            store.write_status(seen.message);
            store.note_retry(seen.id());
            return {true, "when qmail-send runs"};
        case send::ControlVerb::remove:
            store.remove(seen.id());
            return {true, ""};
        case send::ControlVerb::bounce:
            bounce_here(seen);
            return {true, "when qmail-send runs"};
        default:
            return {false, "this needs a running qmail-send"};
    }
}

// As qmail-send does it, for a message whose sender asks for a later time.
void Changer::send_early(StoredMessage& message) {
    if (waits_for_release(message, now_seconds())) message.status.released = now_seconds();
}

// As qmail-send does it: the text is synced before the marks, so that each F has its text. The last mark's
// sync is that of the whole file.
void Changer::bounce_here(const SeenMessage& seen) {
    const Store store(home_);
    const std::string& error = seen.message.status.last_error;
    const std::string why = (error.empty() ? "" : error + "\n") + std::string(bounced_by_hand);
    std::string text;
    std::vector<Recipient> open;
    for (const Recipient& recipient : seen.message.envelope.recipients) {
        if (recipient.mark != Mark::to_do) continue;
        text += send::bounce_paragraph(recipient.address, why);
        open.push_back(recipient);
    }
    if (!text.empty()) store.append_bounce(seen.id(), text);
    if (!open.empty()) store.mark_all(seen.id(), open, Mark::failed, true);
    if (!seen.message.status.hold) return;
    StoredMessage released = seen.message;
    released.status.hold = released.status.by_hand = false;
    store.write_status(released);
}

}  // namespace relais::queue
