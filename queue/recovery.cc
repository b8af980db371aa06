#include "queue/recovery.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/program.h"
#include "base/sys.h"
#include "base/text.h"
#include "queue/store.h"

namespace relais::queue {
namespace {

// Garbage behind a footer is looked for so far.
constexpr std::size_t end_looked_at = 65536;
// A message that is being received when qmail-queued dies was begun this long before, at most, unless it is a
// large one.
constexpr MessageId latest = MessageId{120} * 1'000'000;

enum class Found { whole, gone, foreign, another_version, was_whole, unfinished, empty };

// The last octets of a regular file of that size.
std::string end_of(int fd, std::uint64_t size, const std::string& path) {
    std::string end(static_cast<std::size_t>(std::min<std::uint64_t>(size, end_looked_at)), '\0');
    const ssize_t count = ::pread(fd, end.data(), end.size(), static_cast<off_t>(size - end.size()));
    if (count < 0) throw_errno("read", path);
    end.resize(static_cast<std::size_t>(count));
    return end;
}

// A whole one is synced, too, if that is wanted. Throws Error if it cannot be told.
Found look(const std::string& path, bool sync) {
    const Fd fd(sys::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd && errno == ENOENT) return Found::gone;  // qmail-send goes on meanwhile
    if (!fd && (errno == ELOOP || errno == ENXIO)) return Found::foreign;
    if (!fd) throw_errno("open", path);
    struct stat info {};
    if (sys::fstat(fd.get(), &info) != 0) throw_errno("look at", path);
    if (!S_ISREG(info.st_mode)) return Found::foreign;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size == 0) return Found::empty;
    const std::string end = end_of(fd.get(), size, path);
    const std::size_t footer = end.size() - std::min(end.size(), footer_size);
    if (decode_footer(std::string_view(end).substr(footer), size)) {
        if (sync && sys::fsync(fd.get()) != 0) throw_errno("sync", path);
        return Found::whole;
    }
    switch (footer_trace(end)) {
        case Trace::known_version:
            return Found::was_whole;
        case Trace::another_version:
            return Found::another_version;
        case Trace::none:
            break;
    }
    return Found::unfinished;
}

// Names first: a directory that changes while it is read may show them twice or not at all.
struct Names {
    std::vector<MessageId> candidates;  // not below the checkpoint
    std::vector<MessageId> misplaced;   // they belong into another split
};

Names names_in(const control::Home& home, std::size_t split, MessageId checkpoint) {
    Names names;
    DirectoryScan scan(home, split);
    scan.next(SIZE_MAX, [&](MessageId id) {
        if (id >= checkpoint) names.candidates.push_back(id);
        return true;
    });
    names.misplaced = scan.misplaced();
    return names;
}

class Recoverer {
  public:
    Recoverer(const control::Home& home, bool checkpoint_known, bool one_by_one)
        : home_(home), checkpoint_known_(checkpoint_known), one_by_one_(one_by_one) {}

    void look_at(MessageId id, MessageId newest) {
        const std::string path = message_path(home_, id);
        try {
            act(look(path, one_by_one_), id, path, newest);
        } catch (const Error& error) {
            log_line(std::string("warning: ") + error.what());
            result.left_behind = std::min(result.left_behind, id);
        }
    }

    // What is not whole stays there, for qmail-setup --check to name.
    void bring_home(MessageId id, std::size_t split) {
        const std::string path = message_directory(home_, split) + "/" + std::to_string(id);
        try {
            if (look(path, true) != Found::whole) return;
            move_durably(path, message_path(home_, id));
            ++result.kept;
            log_line("warning: " + path + " lay in the wrong directory, where nobody looks for it: it is " +
                     message_path(home_, id) + " now");
        } catch (const Error& error) {
            log_line(std::string("warning: ") + error.what());
        }
    }

    Recovery result;

  private:
    void act(Found found, MessageId id, const std::string& path, MessageId newest) {
        switch (found) {
            case Found::gone:
            case Found::foreign:
                return;
            case Found::whole:
                ++result.kept;
                return;
            case Found::another_version:
                log_line("alert: " + path + " was written by another version of relais: it is left alone");
                return;
            case Found::was_whole:
                return put_aside(id, path);
            case Found::unfinished:
                if (!checkpoint_known_ || id + latest < newest) return put_aside(id, path);
                [[fallthrough]];
            case Found::empty:
                if (sys::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
                ++result.removed;
        }
    }

    void put_aside(MessageId id, const std::string& path) {
        make_queue_directory(damaged_directory(home_));
        move_durably(path, damaged_path(home_, id));
        ++result.damaged;
        log_line("alert: message " + std::to_string(id) + " is damaged: it is kept as " +
                 damaged_path(home_, id) + " and not delivered; queue-list damaged shows it");
    }

    const control::Home& home_;
    bool checkpoint_known_;
    bool one_by_one_;
};

// Files and directories of the whole file system.
void sync_file_system(const control::Home& home) {
    const std::string path = message_directory(home, 0);
    const Fd fd(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open", path);
    if (sys::syncfs(fd.get()) != 0) throw_errno("sync the file system of", path);
}

}  // namespace

std::optional<MessageId> read_checkpoint(const control::Home& home) {
    try {
        const auto content = read_file(checkpoint_path(home), 64);
        return content ? parse_number(trim(*content)) : std::nullopt;
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        return std::nullopt;
    }
}

void write_checkpoint(const control::Home& home, MessageId checkpoint) {
    replace_file(checkpoint_path(home), std::to_string(checkpoint) + "\n", 0660);
}

bool make_queue_directory(const std::string& path) {
    const std::string parent = path.substr(0, path.rfind('/'));
    struct stat info {};
    if (::stat(parent.c_str(), &info) != 0) throw_errno("look at", parent);
    if (sys::mkdir(path.c_str(), info.st_mode & 0777) != 0) {
        if (errno == EEXIST) return false;
        throw_errno("make the directory", path);
    }
    // Or a power cut would take it away with everything that was accepted into it.
    sync_directory(parent);
    return true;
}

std::vector<std::string> make_missing_directories(const control::Home& home) {
    std::vector<std::string> made;
    for (const std::string& path : queue_directories(home)) {
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0 && errno == ENOENT && make_queue_directory(path)) {
            made.push_back(path);
            // Instances of older versions have none.
            if (path != damaged_directory(home))
                log_line("alert: " + path + " was missing, with all that was in it: it is made anew");
        }
    }
    return made;
}

Recovery recover_messages(const control::Home& home, std::optional<MessageId> checkpoint,
                          std::size_t most_one_by_one) {
    std::vector<Names> names;
    std::size_t total = 0;
    MessageId newest = checkpoint.value_or(0);
    for (std::size_t split = 0; split < split_count; ++split) {
        names.push_back(names_in(home, split, checkpoint.value_or(0)));
        total += names.back().candidates.size();
        for (const MessageId id : names.back().candidates) newest = std::max(newest, id);
    }
    const bool one_by_one = total <= most_one_by_one;
    Recoverer recoverer(home, checkpoint.has_value(), one_by_one);
    for (std::size_t split = 0; split < split_count; ++split) {
        for (const MessageId id : names[split].candidates) recoverer.look_at(id, newest);
        // Or a power cut would bring the removed ones back, below the next checkpoint, and take others away.
        if (one_by_one && !names[split].candidates.empty()) sync_directory(message_directory(home, split));
        for (const MessageId id : names[split].misplaced) recoverer.bring_home(id, split);
    }
    if (!one_by_one) sync_file_system(home);
    recoverer.result.highest = total > 0 ? newest : 0;
    return recoverer.result;
}

std::uint64_t remove_orphan_bounces(const control::Home& home, const std::vector<std::string>& made) {
    std::uint64_t removed = 0;
    const auto is_there = [](const std::string& path) {
        struct stat info {};
        return ::lstat(path.c_str(), &info) == 0 || errno != ENOENT;
    };
    for (std::size_t split = 0; split < split_count; ++split) try {
            if (std::find(made.begin(), made.end(), message_directory(home, split)) != made.end()) continue;
            for (const MessageId id : Store(home).bounces(split)) {
                if (is_there(message_path(home, id)) || is_there(damaged_path(home, id))) continue;
                Store(home).remove_bounce(id);
                ++removed;
            }
        } catch (const Error& error) {
            log_line(std::string("warning: ") + error.what());
        }
    return removed;
}

bool remove_unfinished(const control::Home& home, Ledger& ledger, std::size_t slot) {
    const Ledger::Unfinished unfinished = ledger.unfinished(slot);
    bool removed = false;
    if (unfinished.id != 0) {
        const std::string path = message_path(home, unfinished.id);
        try {
            struct stat info {};
            // It may have died between creating the file and saying so; then the file is empty. A file of
            // that name that holds anything is somebody else's.
            const bool ours = unfinished.created || (::stat(path.c_str(), &info) == 0 && info.st_size == 0);
            if (ours) removed = sys::unlink(path.c_str()) == 0;
            if (ours && !removed && errno != ENOENT) throw_errno("remove", path);
            if (removed) sync_directory(message_directory(home, unfinished.id % split_count));
        } catch (const Error& error) {
            log_line(std::string("warning: ") + error.what());
            ledger.leave_behind(unfinished.id);
        }
    }
    ledger.done(slot);
    return removed;
}

}  // namespace relais::queue
