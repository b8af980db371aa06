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

// Whether it has a valid footer; then it is synced, too, if that is wanted. Throws Error if it cannot be told.
bool is_complete(const std::string& path, bool sync) {
    const Fd fd(sys::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) throw_errno("open", path);
    struct stat info {};
    if (sys::fstat(fd.get(), &info) != 0) throw_errno("look at", path);
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size < footer_size) return false;
    char footer[footer_size];
    const ssize_t count = ::pread(fd.get(), footer, sizeof footer, static_cast<off_t>(size - footer_size));
    if (count < 0) throw_errno("read", path);
    if (!decode_footer(std::string_view(footer, static_cast<std::size_t>(count)), size)) return false;
    if (sync && sys::fsync(fd.get()) != 0) throw_errno("sync", path);
    return true;
}

// Names first: a directory that changes while it is read may show them twice or not at all.
std::vector<MessageId> names_from(const control::Home& home, std::size_t split, MessageId checkpoint) {
    std::vector<MessageId> names;
    Store(home).scan_split(split, [&](MessageId id) {
        if (id >= checkpoint) names.push_back(id);
        return true;
    });
    return names;
}

void remove_incomplete_in(const control::Home& home, std::size_t split,
                          const std::vector<MessageId>& candidates, bool one_by_one, Recovery& result) {
    for (const MessageId id : candidates) {
        result.highest = std::max(result.highest, id);
        const std::string path = message_path(home, id);
        try {
            if (is_complete(path, one_by_one)) {
                ++result.kept;
                continue;
            }
            if (sys::unlink(path.c_str()) != 0) throw_errno("remove", path);
            ++result.removed;
        } catch (const Error& error) {
            log_line(std::string("warning: ") + error.what());
            result.left_behind = std::min(result.left_behind, id);
        }
    }
    // Or a power cut would bring the removed ones back, below the next checkpoint, and take others away.
    if (one_by_one && !candidates.empty()) sync_directory(message_directory(home, split));
}

// Files and directories of the whole file system.
void sync_file_system(const control::Home& home) {
    const std::string path = message_directory(home, 0);
    const Fd fd(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open", path);
    if (sys::syncfs(fd.get()) != 0) throw_errno("sync the file system of", path);
}

}  // namespace

MessageId read_checkpoint(const control::Home& home) {
    try {
        const auto content = read_file(checkpoint_path(home), 64);
        return content ? parse_number(trim(*content)).value_or(0) : 0;
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        return 0;
    }
}

void write_checkpoint(const control::Home& home, MessageId checkpoint) {
    replace_file(checkpoint_path(home), std::to_string(checkpoint) + "\n", 0660);
}

Recovery remove_incomplete(const control::Home& home, MessageId checkpoint, std::size_t most_one_by_one) {
    Recovery result;
    std::vector<std::vector<MessageId>> candidates;
    std::size_t total = 0;
    for (std::size_t split = 0; split < split_count; ++split)
        total += candidates.emplace_back(names_from(home, split, checkpoint)).size();
    const bool one_by_one = total <= most_one_by_one;
    for (std::size_t split = 0; split < split_count; ++split)
        remove_incomplete_in(home, split, candidates[split], one_by_one, result);
    if (!one_by_one) sync_file_system(home);
    return result;
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
