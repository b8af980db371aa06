#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <optional>

#include "base/error.h"
#include "queue/store.h"
#include "setup/contents.h"
#include "setup/entries.h"

namespace relais::setup {

using control::Owner;
using control::Role;

namespace {

// The path of something that queue/ names.
std::string below(const Plan& plan, const std::string& path) {
    return path.substr(plan.home.directory().size() + 1);
}

// qmail-queued and qmail-send share them.
void inspect_queue_file(const Plan& plan, const std::string& path, const struct stat& info,
                        std::vector<Finding>& findings) {
    if (!S_ISREG(info.st_mode)) return;
    const Owner queued = plan.identity.of(Role::qmailq), send = plan.identity.of(Role::qmails);
    // What qmail-send has made nobody else writes; what is another role's it reaches by the group.
    const mode_t needed = plan.identity.single || info.st_uid == send.uid ? 0600 : 0660;
    const bool owner_is_right =
        (info.st_uid == queued.uid || info.st_uid == send.uid) && info.st_gid == queued.gid;
    if (owner_is_right && (info.st_mode & needed) == needed && (info.st_mode & 07) == 0) return;
    add_finding(plan, path, info, as_found(plan, path, info), {Type::file, queued, needed}, findings);
}

void sync(const HeldDirectory& directory) {
    const Fd fd = directory.open("", O_RDONLY | O_DIRECTORY);
    if (::fsync(fd.get()) != 0) throw_errno("sync", directory.path());
}

// Another file that is there meanwhile is not replaced.
void move(const Tree& tree, const std::string& from, const std::string& to) {
    const auto old_place = tree.directory(parent_of(from)), new_place = tree.directory(parent_of(to));
    if (!old_place || !new_place) throw_errno("move " + tree.path_of(from) + " to", tree.path_of(to));
    if (::renameat2(old_place->fd(), name_of(from).c_str(), new_place->fd(), name_of(to).c_str(),
                    RENAME_NOREPLACE) != 0)
        throw_errno("move " + tree.path_of(from) + " to", tree.path_of(to));
    sync(*new_place);
    sync(*old_place);
}

// One in the directory of another split is found by nobody. home: where it belongs.
void inspect_misplaced(const Plan& plan, const std::string& path, const std::string& home,
                       std::vector<Finding>& findings) {
    const bool taken = plan.tree->look(home).has_value();
    std::function<void()> mend;
    if (!taken) mend = [tree = plan.tree, path, home] { move(*tree, path, home); };
    findings.push_back(
        {plan.tree->path_of(path) + " is in the wrong directory, where nobody looks for it: it belongs to " +
             plan.tree->path_of(home) + (taken ? ", where there is another one" : " (then qmailctl flush)"),
         mend});
}

using Place = std::string (*)(const control::Home&, queue::MessageId);

// Answers the id of what is a message or its text, in its place.
std::optional<queue::MessageId> inspect_message(const Plan& plan, const Entry& entry, Place place,
                                                std::vector<Finding>& findings) {
    const auto id = queue::parse_message_name(entry.name);
    if (!S_ISREG(entry.info.st_mode) || !id) {
        findings.push_back({plan.tree->path_of(entry.path) + " does not belong into the queue", nullptr});
        return std::nullopt;
    }
    inspect_queue_file(plan, entry.path, entry.info, findings);
    if (const std::string home = below(plan, place(plan.home, *id)); home != entry.path) {
        inspect_misplaced(plan, entry.path, home, findings);
        return std::nullopt;
    }
    return id;
}

// Reads the bodies of so many octets of messages, and of the others the end alone: nobody wants to wait for
// all of a large queue.
class DamageSeeker {
  public:
    explicit DamageSeeker(const control::Home& home) : store_(home) {}

    void look_at(queue::MessageId id, const struct stat& info, std::vector<Finding>& findings) {
        const std::string path = store_.path(id);
        if (looked_at_++ >= most_messages || ::access(path.c_str(), R_OK) != 0) return;
        const auto size = static_cast<std::uint64_t>(info.st_size);
        const bool verify = size <= octets_left_;
        if (verify) octets_left_ -= size;
        queue::StoredMessage message;
        if (store_.load(id, message, verify) != queue::Load::damaged) return;
        // With its checksum it is also seen whether somebody still writes it, or has removed it.
        if (store_.load(id, message, true) != queue::Load::damaged) return;
        findings.push_back({fmt::format("message {} is damaged: footer or checksum of {} are wrong; it is "
                                        "left alone (queue-list show {})",
                                        id, path, id),
                            nullptr});
    }

  private:
    static constexpr std::size_t most_messages = 20000;

    queue::Store store_;
    std::size_t looked_at_ = 0;
    std::uint64_t octets_left_ = std::uint64_t{256} << 20;
};

void inspect_put_aside(const Plan& plan, std::vector<Finding>& findings) {
    const std::string directory = queue::damaged_directory(plan.home);
    std::size_t count = 0;
    for (const Entry& entry : entries(plan, below(plan, directory)))
        if (inspect_message(plan, entry, queue::damaged_path, findings)) ++count;
    if (count > 0)
        findings.push_back({fmt::format("{} damaged message{} in {}: not delivered; queue-list damaged "
                                        "shows, resubmits and deletes them",
                                        count, count == 1 ? " lies" : "s lie", directory),
                            nullptr});
}

}  // namespace

void inspect_queue(const Plan& plan, std::vector<Finding>& findings) {
    const Wanted lock{Type::file, plan.identity.administrator(), 0600};
    const std::string send_lock = below(plan, queue::send_lock_path(plan.home));
    if (const auto info = plan.tree->look(send_lock))
        inspect_possession(plan, send_lock, *info, lock, findings);
    for (const std::string& path : {queue::queued_lock_path(plan.home), queue::checkpoint_path(plan.home)})
        if (const auto info = plan.tree->look(below(plan, path)))
            inspect_queue_file(plan, below(plan, path), *info, findings);
    DamageSeeker seeker(plan.home);
    for (std::size_t split = 0; split < queue::split_count; ++split) {
        for (const Entry& entry : entries(plan, below(plan, queue::message_directory(plan.home, split))))
            if (const auto id = inspect_message(plan, entry, queue::message_path, findings))
                seeker.look_at(*id, entry.info, findings);
        for (const Entry& entry : entries(plan, below(plan, queue::bounce_directory(plan.home, split))))
            inspect_message(plan, entry, queue::bounce_path, findings);
    }
    inspect_put_aside(plan, findings);
}

}  // namespace relais::setup
