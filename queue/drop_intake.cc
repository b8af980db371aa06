#include "queue/drop_intake.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/octets.h"
#include "base/printable.h"
#include "base/program.h"
#include "base/sys.h"
#include "base/unix_socket.h"
#include "metrics/count.h"
#include "queue/disk_floor.h"
#include "queue/drop.h"
#include "queue/frame_reader.h"
#include "queue/message_writer.h"
#include "queue/receive.h"

namespace relais::queue {
namespace {

// A file is there as a whole: this is for a disk that hardly answers.
constexpr Seconds disk_patience{600};

bool reads_exactly(int file, std::span<char> to) {
    std::size_t at = 0;
    while (at < to.size()) {
        const ssize_t count = ::read(file, to.data() + at, to.size() - at);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        at += static_cast<std::size_t>(count);
    }
    return true;
}

// Leaves the file's offset behind the head; the number in it is the submitter's process.
bool is_whole(int file, std::span<char> buffer, pid_t& pid) {
    struct stat info {};
    if (sys::fstat(file, &info) != 0 || ::lseek(file, 0, SEEK_SET) != 0) return false;
    auto left = static_cast<std::uint64_t>(info.st_size);
    if (left < drop_head_size + drop_checksum_size) return false;
    left -= drop_checksum_size;
    Checksum sum;
    for (bool head = true; left > 0; head = false) {
        const std::size_t size = std::min<std::uint64_t>(left, head ? drop_head_size : buffer.size());
        const std::string_view octets(buffer.data(), size);
        if (!reads_exactly(file, buffer.first(size))) return false;
        if (head && !octets.starts_with(drop_magic)) return false;
        if (head) pid = static_cast<pid_t>(get_le(octets, drop_magic.size(), 4));
        sum.update(octets);
        left -= size;
    }
    char checksum[drop_checksum_size];
    if (!reads_exactly(file, checksum)) return false;
    if (std::string_view(checksum, sizeof checksum) != drop_checksum(sum)) return false;
    return ::lseek(file, drop_head_size, SEEK_SET) == static_cast<off_t>(drop_head_size);
}

SubmitAnswer read_message(const Service& service, std::size_t slot, DiskFloor& floor, const Dropped& dropped,
                          std::span<char> buffer) {
    pid_t pid = 0;
    if (!is_whole(dropped.file.get(), buffer, pid)) return {SubmitCode::bug, 0, {}};
    FrameReader input(dropped.file.get(), buffer);
    FrameReader::Header header;
    const Deadline deadline = Deadline::in(disk_patience);
    if (input.read_header(header, deadline) != FrameReader::Input::more || header.question)
        return {SubmitCode::bug, 0, {}};
    const Peer peer{pid, dropped.uid, 0};
    const Caller caller = caller_of(service.owners, Door::submit, peer, header.named_by_pid);
    MessageWriter writer(service.directories, service.ledger, slot, true);
    return receive(input, caller, writer, {deadline, disk_patience}, header.extended,
                   [&] { return floor.reached(service.directories.fd(0), false); });
}

bool is_for_later(SubmitCode code) {
    return code == SubmitCode::write_error || code == SubmitCode::cannot_create ||
           code == SubmitCode::out_of_memory || code == SubmitCode::timed_out;
}

}  // namespace

std::vector<Dropped> in_turns(std::vector<Dropped> dropped) {
    std::map<uid_t, std::size_t> counts;
    std::vector<std::pair<std::size_t, std::size_t>> order;  // turn, place
    for (std::size_t i = 0; i < dropped.size(); ++i) order.emplace_back(counts[dropped[i].uid]++, i);
    std::sort(order.begin(), order.end());
    std::vector<Dropped> result;
    result.reserve(dropped.size());
    for (const auto& [turn, place] : order) result.push_back(std::move(dropped[place]));
    return result;
}

bool DropDirectory::open() {
    if (directory_) return true;
    Fd directory(::open(drop_directory(home_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (!directory || ::fstat(directory.get(), &info) != 0) return false;
    // What others may replace, or what is not ours to empty, is not looked at: qmail-setup --check says it.
    if ((info.st_mode & (S_ISVTX | S_ISGID)) != (S_ISVTX | S_ISGID) || info.st_uid != ::geteuid())
        return false;
    stream_.reset(::fdopendir(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0)));
    if (!stream_) return false;
    group_ = info.st_gid;
    directory_ = std::move(directory);
    return true;
}

std::vector<Dropped> DropDirectory::look(std::size_t names, std::int64_t now) {
    std::vector<Dropped> found;
    if (!open()) return found;
    if (at_end_) ::rewinddir(stream_.get());
    at_end_ = false;
    while (names-- > 0 && found.size() < most_at_a_time) {
        const struct dirent* entry = ::readdir(stream_.get());
        if (entry == nullptr) {
            at_end_ = true;
            struct stat info {};
            // Removed, and made anew: the next look opens that one.
            if (::fstat(directory_.get(), &info) != 0 || info.st_nlink == 0) {
                stream_.reset();
                directory_.reset();
            }
            break;
        }
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        Dropped dropped;
        if (take(name, now, dropped)) found.push_back(std::move(dropped));
    }
    return in_turns(std::move(found));
}

bool DropDirectory::take(const std::string& name, std::int64_t now, Dropped& dropped) {
    struct stat info {};
    if (::fstatat(directory_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return false;
    std::string_view why = is_drop_name(name) ? trouble_of_dropped(info, group_) : "its name is none of ours";
    if (why.empty()) {
        Fd file(::openat(directory_.get(), name.c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        // A descriptor may be short, too.
        if (!file || ::fstat(file.get(), &info) != 0) return false;
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return false;
        char magic[drop_magic.size()] = {};
        why = trouble_of_dropped(info, group_);
        if (why.empty() && (::pread(file.get(), magic, sizeof magic, 0) != sizeof magic ||
                            std::string_view(magic, sizeof magic) != drop_magic))
            why = "it is no message";
        if (why.empty()) {
            dropped = {name, info.st_uid, std::move(file)};
            return true;
        }
    }
    discard(name, info, why, now);
    return false;
}

void DropDirectory::discard(const std::string& name, const struct stat& info, std::string_view why,
                            std::int64_t now) {
    // A snapshot's second name must not cost mail that was acknowledged.
    if (S_ISREG(info.st_mode) && (info.st_gid != group_ || info.st_nlink > 1)) {
        if (!told_of_foreign_)
            log_line(fmt::format(
                "warning: drop has files like {}, of uid {}, that were not made there, or have another name: "
                "they are left alone; docs/backup.md says how restored ones are taken in",
                printable(name), info.st_uid));
        told_of_foreign_ = true;
        return;
    }
    if (info.st_ctim.tv_sec + drop_patience > now) return;
    if (S_ISREG(info.st_mode) && info.st_nlink == 1) {
        // Who writes it longer than that holds its lock.
        const Fd file(
            ::openat(directory_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (file && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return;
    }
    if (::unlinkat(directory_.get(), name.c_str(), S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0) == 0)
        log_line(fmt::format("warning: removed from drop what uid {} had put there: {}", info.st_uid, why));
}

Intake take_in(const Service& service, std::size_t slot, int directory, const Dropped& dropped) {
    DiskFloor floor(service.home);
    if (floor.reached(service.directories.fd(0), false)) return Intake::later;
    const auto memory = std::make_unique_for_overwrite<char[]>(receive_buffer_size);
    const SubmitAnswer answer =
        read_message(service, slot, floor, dropped, {memory.get(), receive_buffer_size});
    if (is_for_later(answer.code)) return Intake::later;
    const bool accepted = answer.code == SubmitCode::accepted;
    if (!accepted) {
        struct stat info {};
        // The lock that its writer had may be on its way.
        if (::fstat(dropped.file.get(), &info) == 0 && info.st_ctim.tv_sec + drop_patience > now_seconds())
            return Intake::incomplete;
        log_line(fmt::format("warning: removed from drop what uid {} had put there: it is no whole message",
                             dropped.uid));
    }
    const bool removed = sys::unlinkat(directory, dropped.name.c_str(), 0) == 0 || errno == ENOENT;
    if (!removed)
        log_line(fmt::format("alert: unable to remove {} from drop, which has been taken in: {}",
                             dropped.name, errno_text(errno)));
    if (accepted) {
        metrics::count("queue.taken", "local");
        send_hint(service.hint_pipe, answer.id);
        log_line(fmt::format("took message {} of uid {} from drop", answer.id, dropped.uid));
    }
    return removed ? Intake::done : Intake::stuck;
}

}  // namespace relais::queue
