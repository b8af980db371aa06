#include "setup/contents.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/fd.h"
#include "control/secret_file.h"
#include "control/sockets.h"
#include "control/table.h"
#include "queue/store.h"
#include "setup/mend.h"

namespace relais::setup {

using control::Owner;
using control::Role;
namespace fs = std::filesystem;

namespace {

// A regular file; nothing if it is something else, or gone by now.
std::optional<struct stat> look_at_file(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    return info;
}

std::string as_found(const std::string& path, const struct stat& info) {
    return fmt::format("{} belongs to {} with mode {:o}", path, owner_text({info.st_uid, info.st_gid}),
                       info.st_mode & 07777);
}

// What is in a directory; nothing where there is none.
std::vector<fs::path> entries(const std::string& directory) {
    std::error_code missing;
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(directory, missing)) all.push_back(entry.path());
    std::sort(all.begin(), all.end());
    return all;
}

// A file that programs of several users read, and that holds no secret.
bool is_for_all(const fs::path& path) {
    const std::string name = path.filename(), folder = path.parent_path().filename();
    if (folder == "users") return name == "cdb";
    const control::ControlFile* row = control::find_control_file(name);
    return row != nullptr && row->kind != control::FileKind::pem && !control::may_hold_passwords(name);
}

// qmail-queued and qmail-send share them.
void inspect_queue_file(const Plan& plan, const std::string& path, std::vector<Finding>& findings) {
    const auto info = look_at_file(path);
    if (!info) return;
    const Owner queued = plan.identity.of(Role::qmailq), send = plan.identity.of(Role::qmails);
    const mode_t needed = plan.identity.single ? 0600 : 0660;
    const bool owner_is_right =
        (info->st_uid == queued.uid || info->st_uid == send.uid) && info->st_gid == queued.gid;
    if (owner_is_right && (info->st_mode & needed) == needed && (info->st_mode & 07) == 0) return;
    findings.push_back(
        {as_found(path, *info), [path, queued, needed] { set_owner_and_mode(path, false, queued, needed); }});
}

// One in the directory of another split is found by nobody. home: where it belongs.
void inspect_misplaced(const std::string& path, const std::string& home, std::vector<Finding>& findings) {
    struct stat info {};
    const bool taken = ::lstat(home.c_str(), &info) == 0;
    std::function<void()> mend;
    if (!taken) mend = [path, home] { queue::move_durably(path, home); };
    findings.push_back({path + " is in the wrong directory, where nobody looks for it: it belongs to " +
                            home + (taken ? ", where there is another one" : " (then qmailctl flush)"),
                        mend});
}

using Place = std::string (*)(const control::Home&, queue::MessageId);

// Answers the id of what is a message or its text, in its place.
std::optional<queue::MessageId> inspect_message(const Plan& plan, const fs::path& file, Place place,
                                                std::vector<Finding>& findings) {
    struct stat info {};
    if (::lstat(file.c_str(), &info) != 0) return std::nullopt;
    const auto id = queue::parse_message_name(file.filename().native());
    if (!S_ISREG(info.st_mode) || !id) {
        findings.push_back({file.native() + " does not belong into the queue", nullptr});
        return std::nullopt;
    }
    inspect_queue_file(plan, file, findings);
    if (const std::string home = place(plan.home, *id); home != file.native()) {
        inspect_misplaced(file, home, findings);
        return std::nullopt;
    }
    return id;
}

// Reads the bodies of so many octets of messages, and of the others the end alone: nobody wants to wait for all of a large
// queue.
class DamageSeeker {
  public:
    explicit DamageSeeker(const control::Home& home) : store_(home) {}

    void look_at(queue::MessageId id, std::vector<Finding>& findings) {
        const std::string path = store_.path(id);
        const auto info = look_at_file(path);
        if (!info || looked_at_++ >= most_messages || ::access(path.c_str(), R_OK) != 0) return;
        const auto size = static_cast<std::uint64_t>(info->st_size);
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
    for (const fs::path& file : entries(directory))
        if (inspect_message(plan, file, queue::damaged_path, findings)) ++count;
    if (count > 0)
        findings.push_back({fmt::format("{} damaged message{} in {}: not delivered; queue-list damaged "
                                        "shows, resubmits and deletes them",
                                        count, count == 1 ? " lies" : "s lie", directory),
                            nullptr});
}

// A socket cannot be opened, but held.
void mend_socket(const std::string& path, Owner owner, mode_t mode) {
    const Fd fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) throw_errno("look at", path);
    if (!S_ISSOCK(info.st_mode)) throw_permanent("unable to mend " + path + ": it is no socket");
    set_owner_and_mode(fd.get(), path, owner, mode);
}

// Something of one role's alone.
void inspect_possession(const std::string& path, bool directory, Owner owner, mode_t mode,
                        std::vector<Finding>& findings) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || (directory ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode)))
        return;
    if (info.st_uid == owner.uid && (info.st_mode & 0600) == 0600) return;
    findings.push_back({as_found(path, info), [path, directory, owner, mode] {
                            set_owner_and_mode(path, directory, owner, mode);
                        }});
}

}  // namespace

void inspect_control(const Plan& plan, std::vector<Finding>& findings) {
    std::set<std::string> in_table;
    for (const Piece& piece : layout(plan)) in_table.insert(piece.path);
    for (const std::string folder : {"control", "users"}) {
        for (const fs::path& entry : entries(plan.home.path(folder))) {
            const std::string path = entry, name = entry.filename();
            const auto info = look_at_file(path);
            if (!info || in_table.contains(folder + "/" + name)) continue;
            const Owner owner{info->st_uid, info->st_gid};
            // What holds private keys is closed altogether.
            const mode_t mode = info->st_mode & (name.starts_with("servercert") ? 07700 : 07755);
            if ((info->st_mode & 022) != 0)
                findings.push_back({path + " can be written by others than its owner",
                                    [path, owner, mode] { set_owner_and_mode(path, false, owner, mode); }});
            if (!plan.identity.single && is_for_all(entry) && (mode & 0444) != 0444)
                findings.push_back(
                    {path + " cannot be read by everybody, and so perhaps not by the program that needs it",
                     [path, owner, mode] { set_owner_and_mode(path, false, owner, (mode & 0644) | 0444); }});
        }
    }
}

void inspect_queue(const Plan& plan, std::vector<Finding>& findings) {
    inspect_possession(queue::send_lock_path(plan.home), false, plan.identity.administrator(), 0600,
                       findings);
    inspect_queue_file(plan, queue::queued_lock_path(plan.home), findings);
    inspect_queue_file(plan, queue::checkpoint_path(plan.home), findings);
    DamageSeeker seeker(plan.home);
    for (std::size_t split = 0; split < queue::split_count; ++split) {
        for (const fs::path& entry : entries(queue::message_directory(plan.home, split)))
            if (const auto id = inspect_message(plan, entry, queue::message_path, findings))
                seeker.look_at(*id, findings);
        for (const fs::path& entry : entries(queue::bounce_directory(plan.home, split)))
            inspect_message(plan, entry, queue::bounce_path, findings);
    }
    inspect_put_aside(plan, findings);
}

void inspect_sockets(const Plan& plan, std::vector<Finding>& findings) {
    for (const control::Socket& socket : control::sockets) {
        const std::string path = plan.home.socket(socket.name);
        const Owner owner = socket.client ? plan.identity.of(*socket.client) : plan.identity.administrator();
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) continue;
        if (info.st_uid == owner.uid && (info.st_mode & 07777) == socket.mode) continue;
        findings.push_back(
            {as_found(path, info), [path, owner, mode = socket.mode] { mend_socket(path, owner, mode); }});
    }
}

void inspect_logs(const Plan& plan, std::vector<Finding>& findings) {
    const Owner owner = plan.identity.of(Role::qmaill);
    for (const fs::path& directory : entries(plan.home.path("log")))
        for (const fs::path& file : entries(directory))
            // multilog marks with x what it has closed.
            if (const auto info = look_at_file(file))
                inspect_possession(file, false, owner, (info->st_mode & 0755) | 0600, findings);
}

void inspect_logins(const Plan& plan, std::vector<Finding>& findings) {
    const Owner owner = plan.identity.of(Role::qmailo);
    for (const fs::path& directory : entries(plan.home.path("open-smtp"))) {
        inspect_possession(directory, true, owner, 0750, findings);
        for (const fs::path& file : entries(directory))
            inspect_possession(file, false, owner, 0640, findings);
    }
}

void inspect_copies(const Plan& plan, std::vector<Finding>& findings) {
    const fs::path bin = plan.home.path("bin");
    if (!fs::is_directory(fs::symlink_status(bin))) return;
    std::vector<fs::path> all = entries(bin);
    all.insert(all.begin(), bin);
    for (const fs::path& each : all) {
        struct stat info {};
        if (::lstat(each.c_str(), &info) != 0 || S_ISLNK(info.st_mode) || (info.st_mode & 0111) == 0111)
            continue;
        const bool directory = S_ISDIR(info.st_mode);
        // What holds a channel to open-smtpd must not be read, and so not be traced.
        const mode_t mode = each.filename() == "open-smtp-allow" ? 0711 : 0755;
        findings.push_back({each.native() + " cannot be executed by the users of the instance",
                            [path = each.native(), directory, mode, owner = plan.identity.administrator()] {
                                set_owner_and_mode(path, directory, owner, mode);
                            }});
    }
}

void inspect_alias(const Plan& plan, std::vector<Finding>& findings) {
    const Owner owner = plan.identity.of(Role::alias);
    for (const fs::path& file : entries(plan.home.path("alias"))) {
        const auto info = look_at_file(file);
        if (!info || !file.filename().native().starts_with(".qmail")) continue;
        const std::string path = file;
        const mode_t readable = info->st_uid == owner.uid ? 0400 : info->st_gid == owner.gid ? 0040 : 0004;
        if ((info->st_mode & readable) != 0 && (info->st_mode & 02) == 0) continue;
        findings.push_back({as_found(path, *info) + ": mail for it waits",
                            [path, owner] { set_owner_and_mode(path, false, owner, 0644); }});
    }
}

}  // namespace relais::setup
