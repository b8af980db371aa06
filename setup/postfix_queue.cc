#include "setup/postfix_queue.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/time.h"
#include "setup/proposals.h"

namespace relais::setup {
namespace {

constexpr const char* lock_path = "pid/master.pid";
// A message with its envelope is held in memory; so is what failed.
constexpr std::size_t message_limit = std::size_t{1} << 30;
constexpr std::size_t failures_limit = std::size_t{64} << 20;
constexpr std::uint64_t microseconds = 1'000'000;
// Of hash_queue_depth.
constexpr unsigned depth_limit = 3;

bool is_queue_id(const std::string& name) {
    return name.size() >= 6 && name.size() <= 40 && std::ranges::all_of(name, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
           });
}

}  // namespace

Fd lock_postfix(const HeldDirectory& queue) {
    Fd lock = queue.try_open(lock_path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (!lock && errno == ENOENT) return lock;
    if (!lock) throw_errno("open", queue.path_of(lock_path));
    if (lock_alone(lock, queue.path_of(lock_path))) return lock;
    throw_permanent("Postfix runs: its master holds " + queue.path_of(lock_path) +
                    "; stop it (postfix stop), and try again");
}

PostfixQueue::PostfixQueue(HeldDirectory queue, std::string domain, Fault fault, Fault note)
    : spool_(std::move(queue), std::move(fault)), domain_(std::move(domain)), note_(std::move(note)) {
    struct stat status {};
    if (!spool_.directory().look("deferred", status) || !S_ISDIR(status.st_mode))
        throw_permanent(spool_.directory().path_of("deferred") + " is missing: this is no queue of Postfix");
    for (const char* directory : {"active", "incoming", "deferred", "hold", "maildrop"}) {
        if (!spool_.directory().look(directory, status)) {
            spool_.fault(directory, "this directory is missing");
            continue;
        }
        spool_.walk(directory, depth_limit,
                    [&](const std::string& id, const std::string& path) { found(directory, id, path); });
    }
    if (spool_.directory().look("corrupt", status))
        spool_.walk("corrupt", depth_limit, [&](const std::string&, const std::string& path) {
            spool_.fault(path, "Postfix has put it aside as damaged: it is not taken");
        });
    if (spool_.directory().look("bounce", status))
        spool_.walk("bounce", depth_limit, [&](const std::string& id, const std::string& path) {
            if (!places_.contains(id)) return spool_.fault(path, "its message is missing");
            failures_[id] = path;
        });
}

void PostfixQueue::found(const std::string& directory, const std::string& id, const std::string& path) {
    if (!is_queue_id(id)) return spool_.fault(path, "its name is no queue ID");
    const auto [place, fresh] = places_.try_emplace(id, path);
    if (!fresh) return spool_.fault(path, "the message is in " + place->second + " too, which is taken");
    files_.push_back({id, directory, path});
}

// Postfix has marked them as done, and not told the sender yet.
void PostfixQueue::take_failures(const File& file, OldMessage& message) const {
    const auto path = failures_.find(file.id);
    if (path == failures_.end()) return;
    const auto content = spool_.content(path->second, failures_limit);
    if (!content) return;
    std::map<std::string, std::string> reasons;
    for (PostfixFailure& failure : parse_postfix_bounce(content->text))
        reasons.try_emplace(std::move(failure.recipient), std::move(failure.reason));
    queue::Recipients marked;
    std::set<std::string> known;
    for (queue::Recipient recipient : message.envelope.recipients) {
        const auto reason = reasons.find(recipient.address);
        known.insert(recipient.address);
        if (recipient.mark == queue::Mark::done && reason != reasons.end()) {
            recipient.mark = queue::Mark::failed;
            message.bounce += bounce_paragraph(recipient.address, reason->second);
        }
        marked.push_back(recipient);
    }
    // An alias of local(8)'s, whose members no envelope has.
    for (const auto& [address, reason] : reasons) {
        if (known.contains(address)) continue;
        marked.push_back({address, queue::Mark::failed});
        message.bounce += bounce_paragraph(address, reason);
    }
    message.envelope.recipients = std::move(marked);
    if (message.bounce.empty())
        spool_.fault(path->second, "it tells of no recipient that is done: it is not taken");
}

// What cleanup would have done to it.
void PostfixQueue::complete(const File& file, uid_t owner, OldMessage& message) const {
    queue::Envelope& envelope = message.envelope;
    envelope.sender = with_domain(envelope.sender, domain_);
    queue::Recipients recipients;
    for (queue::Recipient recipient : envelope.recipients) {
        recipient.address = with_domain(recipient.address, domain_);
        recipients.push_back(recipient);
    }
    envelope.recipients = std::move(recipients);
    envelope.origin = queue::Origin::user;
    envelope.uid = owner;
    const std::string sender = envelope.sender.empty() ? "MAILER-DAEMON@" + domain_ : envelope.sender;
    message.text = completed_text(
        message.text,
        {.sender = sender,
         .date = date_822(static_cast<std::int64_t>(message.birth / microseconds)),
         .message_id = "<" + file.id + "." + std::to_string(message.birth) + "@" + domain_ + ">"});
}

OldMessage PostfixQueue::read(std::size_t index) const {
    OldMessage message;
    const File& file = files_.at(index);
    const auto content = spool_.content(file.path, message_limit);
    if (!content) return message;
    // Postfix makes a file that is whole executable.
    if ((content->status.st_mode & S_IXUSR) == 0) {
        message.state = OldState::unfinished;
        return message;
    }
    PostfixFile parsed = parse_postfix_file(content->text);
    if (!parsed.fault.empty()) spool_.fault(file.path, parsed.fault);
    if (!parsed.whole) return message;
    for (const std::string& note : parsed.notes) note_(file.path, note);
    message.birth = parsed.birth != 0 ? parsed.birth : change_time(content->status);
    message.envelope = std::move(parsed.envelope);
    message.text = std::move(parsed.text);
    message.key = "postfix-" + file.id + "-" + std::to_string(message.birth);
    message.envelope.options.hold = file.directory == "hold";
    take_failures(file, message);
    if (parsed.killed || !is_open(message.envelope)) {
        message.state = OldState::finished;
        return message;
    }
    if (file.directory == "maildrop") complete(file, content->status.st_uid, message);
    message.size = message.text.size();
    message.state = OldState::ready;
    return message;
}

}  // namespace relais::setup
