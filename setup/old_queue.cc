#include "setup/old_queue.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace relais::setup {
namespace {

constexpr std::string_view kind_names[] = {"mess", "info", "local", "remote", "todo", "intd", "bounce"};
// A sender and no more; lists of recipients; texts of bounces; control files.
constexpr std::size_t info_limit = 4096;
constexpr std::size_t recipients_limit = std::size_t{256} << 20;
constexpr std::size_t bounce_limit = std::size_t{16} << 20;
constexpr std::size_t control_limit = std::size_t{64} << 20;
constexpr std::size_t trace_octets = 200;

std::string read_whole(int fd, std::size_t limit) {
    return read_to_end(fd, limit, Deadline::never());
}

std::vector<std::string> control_lines(const HeldDirectory& installation, const std::string& name) {
    std::vector<std::string> lines;
    struct stat any {};
    if (!installation.look("control", any)) return lines;
    const Fd fd = part_of(installation, "control").try_open(name, O_RDONLY | O_NONBLOCK);
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return lines;
    const std::string text = read_whole(fd.get(), control_limit);
    for (const std::string_view line : split(text, '\n'))
        if (const std::string_view words = trim(line); !words.empty() && !words.starts_with('#'))
            lines.emplace_back(words);
    return lines;
}

// A line, or control/me.
std::string control_line(const HeldDirectory& installation, const std::string& name) {
    auto lines = control_lines(installation, name);
    if (lines.empty()) lines = control_lines(installation, "me");
    return lines.empty() ? "" : lines.front();
}

send::RewriteRules read_rules(const HeldDirectory& installation) {
    auto locals = control_lines(installation, "locals");
    if (locals.empty()) locals = control_lines(installation, "me");
    return {control_line(installation, "envnoathost"), locals, control_lines(installation, "percenthack"),
            control_lines(installation, "virtualdomains")};
}

}  // namespace

HeldDirectory part_of(const HeldDirectory& installation, const std::string& name) {
    struct stat root {
    }, link{};
    const bool led = installation.look(name, link) && S_ISLNK(link.st_mode) && link.st_uid == 0 &&
                     ::fstat(installation.fd(), &root) == 0 && root.st_uid == 0 && (root.st_mode & 022) == 0;
    if (!led) return installation.directory(name);
    Fd directory(::openat(installation.fd(), name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) throw_errno("open", installation.path_of(name));
    return {std::move(directory), installation.path_of(name)};
}

bool is_open(const queue::Envelope& envelope) {
    for (std::size_t i = 0; i < envelope.recipients.size(); ++i)
        if (envelope.recipients.mark(i) != queue::Mark::done) return true;
    return false;
}

Fd lock_old_queue(const HeldDirectory& installation) {
    Fd lock = part_of(installation, "queue").open("lock/sendmutex", O_RDONLY | O_NONBLOCK);
    if (lock_alone(lock, installation.path_of("queue/lock/sendmutex"))) return lock;
    throw_permanent("the old qmail-send runs: it holds " + installation.path_of("queue/lock/sendmutex") +
                    "; stop it, let its last deliveries end, and try again");
}

OldQueue::OldQueue(const HeldDirectory& installation, Fault fault)
    : spool_(part_of(installation, "queue"),
             [fault = std::move(fault)](const std::string& path, const std::string& text) {
                 fault("queue/" + path, text);
             }),
      rules_(read_rules(installation)),
      prefixes_(virtual_prefixes(control_lines(installation, "virtualdomains"))) {
    for (const Kind kind : {mess, info, local, remote, todo, intd, bounce}) look_into(kind);
}

void OldQueue::found(Kind kind, std::string_view name, const std::string& path) {
    const auto id = parse_number(name);
    if (!id || std::to_string(*id) != name) return fault(path, "its name is no message's number");
    std::string& place = files_[*id][kind];
    if (!place.empty()) return fault(path, "the message is in " + place + " too, which is taken");
    place = path;
}

// A name that is a directory's is a split, in which there are files; in one that has no split it is a file's.
void OldQueue::look_into(Kind kind) {
    const std::string root(kind_names[kind]);
    struct stat status {};
    if (!spool_.directory().look(root, status) || !S_ISDIR(status.st_mode)) {
        if (kind == mess)
            throw_permanent(spool_.directory().path_of(root) + " is missing: this is no qmail's queue");
        if (kind != intd) fault(root, "this directory is missing");
        return;
    }
    const HeldDirectory directory = spool_.directory().directory(root);
    for (const std::string& name : directory.names()) {
        const std::string path = root + "/" + name;
        if (!directory.look(name, status)) continue;
        if (S_ISLNK(status.st_mode)) {
            fault(path, "it is a link");
            continue;
        }
        if (!S_ISDIR(status.st_mode)) {
            found(kind, name, path);
            continue;
        }
        if (!parse_number(name)) {
            fault(path, "a directory that is no split");
            continue;
        }
        for (const std::string& file : directory.directory(name).names())
            found(kind, file, path + "/" + file);
    }
}

std::vector<std::uint64_t> OldQueue::ids() const {
    std::vector<std::uint64_t> all;
    all.reserve(files_.size());
    for (const auto& [id, files] : files_) all.push_back(id);
    return all;
}

// False if there may have been more recipients than can be read.
bool OldQueue::add_recipients(const std::string& path, OldMessage& message) const {
    if (path.empty()) return true;
    const auto file = spool_.content(path, recipients_limit);
    if (!file) return false;
    const OldRecipients recipients = parse_old_recipients(file->text);
    if (!recipients.fault.empty()) fault(path, recipients.fault);
    for (const OldRecipient& each : recipients.all)
        message.envelope.recipients.push_back({without_prefix(rules_, prefixes_, each.address),
                                               each.done ? queue::Mark::done : queue::Mark::to_do});
    return recipients.fault.empty();
}

bool OldQueue::take_todo(const Files& files, OldMessage& message) const {
    const auto file = spool_.content(files[todo], recipients_limit);
    if (!file) return false;
    const auto parsed = parse_old_todo(file->text);
    if (!parsed) {
        fault(files[todo], "there is no sender in it");
        return false;
    }
    if (!parsed->recipients.fault.empty()) fault(files[todo], parsed->recipients.fault);
    message.birth = change_time(file->status);
    message.envelope.sender = parsed->sender;
    for (const OldRecipient& each : parsed->recipients.all)
        message.envelope.recipients.push_back({each.address});
    if (parsed->recipients.all.empty()) fault(files[todo], "there is no recipient in it");
    return !parsed->recipients.all.empty();
}

bool OldQueue::take_info(const Files& files, OldMessage& message) const {
    const auto file = spool_.content(files[info], info_limit);
    if (!file) return false;
    auto sender = parse_old_info(file->text);
    if (!sender) {
        fault(files[info], "there is no sender in it");
        return false;
    }
    message.birth = change_time(file->status);
    message.envelope.sender = *std::move(sender);
    const bool locals = add_recipients(files[local], message);
    const bool remotes = add_recipients(files[remote], message);
    if ((locals && remotes) || !message.envelope.recipients.empty()) return true;
    fault(files[info], "there is no recipient of it left");
    return false;
}

bool OldQueue::take_body(const Files& files, std::uint64_t id, OldMessage& message) const {
    struct stat status {};
    message.body = spool_.open_file(files[mess], status);
    if (!message.body) return false;
    message.size = static_cast<std::uint64_t>(status.st_size);
    std::string beginning(trace_octets, '\0');
    const ssize_t count = ::pread(message.body.get(), beginning.data(), beginning.size(), 0);
    if (count <= 0 || beginning.front() == '\0') {
        fault(files[mess], count < 0    ? std::string(std::strerror(errno))
                           : count == 0 ? "it is empty"
                                        : "it begins with a zero, as after a power cut");
        return false;
    }
    beginning.resize(static_cast<std::size_t>(count));
    const OldOrigin origin = parse_old_trace(beginning);
    message.envelope.origin = origin.origin;
    message.envelope.uid = origin.uid;
    message.envelope.pid = origin.pid;
    message.key =
        std::to_string(id) + "-" + std::to_string(message.size) + "-" + std::to_string(change_time(status));
    return true;
}

// Those that failed are marked as done in an old queue; the text tells them.
void OldQueue::take_bounce(const Files& files, OldMessage& message) const {
    if (files[bounce].empty()) return;
    auto file = spool_.content(files[bounce], bounce_limit);
    if (!file || file->text.empty()) return;
    std::replace(file->text.begin(), file->text.end(), '\0', '?');  // ours has facts behind a NUL
    const auto names = bounced_addresses(file->text);
    const std::set<std::string> told(names.begin(), names.end());
    queue::Recipients marked;
    bool any = false;
    for (queue::Recipient recipient : message.envelope.recipients) {
        if (recipient.mark == queue::Mark::done && told.contains(recipient.address)) {
            recipient.mark = queue::Mark::failed;
            any = true;
        }
        marked.push_back(recipient);
    }
    if (!any) {
        // The lists of recipients go before the bounce does.
        if (names.empty()) return fault(files[bounce], "it tells of no recipient: it is not taken");
        for (const std::string& name : told) marked.push_back({name, queue::Mark::failed});
    }
    message.envelope.recipients = std::move(marked);
    message.bounce = std::move(file->text);
}

OldMessage OldQueue::read(std::uint64_t id) const {
    OldMessage message;
    const Files& files = files_.at(id);
    const bool accepted = !files[todo].empty() || !files[info].empty();
    if (files[mess].empty()) {
        for (const Kind kind : {todo, info, local, remote, bounce})
            if (!files[kind].empty()) fault(files[kind], "its message is missing");
        if (!accepted && !files[intd].empty()) message.state = OldState::unfinished;
        return message;
    }
    if (!accepted) {
        for (const Kind kind : {local, remote, bounce})
            if (!files[kind].empty()) fault(files[kind], "its info is missing: nobody knows the sender");
        if (files[local].empty() && files[remote].empty() && files[bounce].empty())
            message.state = OldState::unfinished;
        return message;
    }
    // What stands in todo counts: qmail-send would begin with it anew.
    const bool half = !files[todo].empty();
    if (!(half ? take_todo(files, message) : take_info(files, message))) return message;
    if (!half) take_bounce(files, message);
    if (!is_open(message.envelope)) {
        message.state = OldState::finished;
        return message;
    }
    if (take_body(files, id, message)) message.state = OldState::ready;
    return message;
}

}  // namespace relais::setup
