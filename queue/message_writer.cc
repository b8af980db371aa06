#include "queue/message_writer.h"

#include <sys/stat.h>

#include <charconv>
#include <ctime>

#include "base/error.h"
#include "base/program.h"
#include "base/sys.h"
#include "queue/recovery.h"
#include "queue/store.h"

namespace relais::queue {
namespace {

std::string described(MessageId id) {
    return "message " + std::to_string(id);
}

// With relatime the first reading after a change writes the time of access, one more inode for the journal.
// Not so if that time lies behind the change's already.
void be_read_without_a_trace(int fd) {
    timespec soon{};
    ::clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += 2;
    const timespec times[2] = {soon, {0, UTIME_OMIT}};
    // A file system that refuses costs the time, no mail.
    [[maybe_unused]] const int result = ::futimens(fd, times);
}

// A large message is on its way to the disk while the rest of it comes, so that the sync at its end is short.
constexpr std::uint64_t write_back_step = std::uint64_t{1} << 20;

// All of the parts; changes them.
void write_parts(int fd, iovec* part, std::size_t count, MessageId id) {
    while (count > 0) {
        ssize_t written = sys::writev(fd, part, static_cast<int>(count));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw_errno("write", described(id));
        for (; count > 0 && static_cast<std::size_t>(written) >= part->iov_len; ++part, --count)
            written -= static_cast<ssize_t>(part->iov_len);
        if (count == 0) break;
        part->iov_base = static_cast<char*>(part->iov_base) + written;
        part->iov_len -= static_cast<std::size_t>(written);
    }
}

}  // namespace

MessageDirectories::MessageDirectories(const control::Home& home) : home_(home) {
    for (std::size_t split = 0; split < split_count; ++split) directories_[split] = open(split);
}

Fd MessageDirectories::open(std::size_t split) const {
    const std::string path = message_directory(home_, split);
    Fd directory(sys::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) throw_errno("open", path);
    return directory;
}

bool MessageDirectories::renew(MessageId id) const {
    const std::size_t split = id % split_count;
    const int reason = errno;
    try {
        if (!was_removed(directories_[split].get())) return false;
        const std::string path = message_directory(home_, split);
        if (make_queue_directory(path))
            log_line("alert: " + path + " was removed, with all that was in it: it is made anew");
        directories_[split] = open(split);
        return true;
    } catch (const Error& error) {
        log_line(std::string("warning: ") + error.what());
        errno = reason;
        return false;
    }
}

MessageId MessageWriter::create() {
    do {
        // An id may be taken: the clock was set back, and what the last qmail-queued gave out is forgotten.
        id_ = ledger_.begin(slot_);
        *std::to_chars(name_.begin(), name_.end() - 1, id_).ptr = '\0';
        file_ = Fd(sys::openat(directories_.fd(id_), name_.data(),
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660));
    } while (!file_ && (errno == EEXIST || (errno == ENOENT && directories_.renew(id_))));
    if (!file_) {
        const int reason = errno;
        ledger_.done(slot_);
        throw_errno("create", described(id_), reason);
    }
    ledger_.created(slot_);
    lock_while_written(file_.get());
    return id_;
}

void MessageWriter::add(std::string_view octets) {
    if (octets.empty()) return;
    checksum_.update(octets);
    message_size_ += octets.size();
    if (pending_count_ == pending_.size()) flush();
    pending_[pending_count_++] = {const_cast<char*>(octets.data()), octets.size()};
}

void MessageWriter::flush() {
    const std::size_t count = std::exchange(pending_count_, 0);
    for (std::size_t i = 0; i < count; ++i) written_ += pending_[i].iov_len;
    write_parts(file_.get(), pending_.data(), count, id_);
    if (written_ - write_back_begun_ < write_back_step) return;
    if (sys::begin_write_back(file_.get(), static_cast<off64_t>(write_back_begun_),
                              static_cast<off64_t>(written_ - write_back_begun_)) != 0)
        throw_errno("write", described(id_));
    write_back_begun_ = written_;
}

void MessageWriter::finish(const Envelope& info, std::string_view submitted_envelope,
                           std::string_view extension) {
    const auto said = extension.empty() ? std::nullopt : mail::decode_extension(extension, 0);
    Status first_status;
    first_status.hold = said && said->options.hold;
    const std::string status =
        first_status.hold ? encode_status(first_status) : std::string(status_size, '\0');
    const std::uint64_t message_size = message_size_;
    const std::string info_field = encode_info(info);
    // F sender NUL T recipient NUL ... NUL: without its F it is the rest of the envelope, every mark T.
    add(info_field);
    add(submitted_envelope.substr(1));
    add(extension);
    const unsigned version = extension.empty() ? 1 : 2;
    const std::string footer =
        encode_footer({message_size, message_size_ - message_size, checksum_.value(), version});
    add(status);
    add(footer);
    flush();
    be_read_without_a_trace(file_.get());
    sync();
    struct stat state {};
    if (sys::fstat(file_.get(), &state) != 0) throw_errno("look at", described(id_));
    if (state.st_nlink != 1) throw_errno("keep", described(id_), ENOENT);
    file_.reset();
    ledger_.done(slot_);
}

// The file and its name at the same time, for then both wait for the same commit of the journal; what the
// file allocates must have been allocated before, or that is one more commit. A failed sync is not tried
// again: the pages count as clean afterwards though they are lost, and a second one would say that all is
// well.
void MessageWriter::sync() {
    if (!only_one_ && sys::write_back(file_.get()) != 0) throw_errno("sync", described(id_));
    const std::array<int, 2> descriptors = {file_.get(), directories_.fd(id_)};
    std::array<int, 2> errors{};
    const std::size_t together = only_one_ ? 1 : descriptors.size();
    for (std::size_t i = 0; i < descriptors.size(); i += together)
        sys::fsync_all(std::span(descriptors).subspan(i, together), std::span(errors).subspan(i, together));
    if (errors[0] != 0) throw_errno("sync", described(id_), errors[0]);
    if (errors[1] != 0) throw_errno("sync the directory of", described(id_), errors[1]);
}

// The sync keeps a power cut from bringing the file back below the checkpoint.
void MessageWriter::abandon() noexcept {
    if (!file_) return;
    const int directory = directories_.fd(id_);
    if ((sys::unlinkat(directory, name_.data(), 0) != 0 && errno != ENOENT) || sys::fsync(directory) != 0)
        ledger_.leave_behind(id_);
    file_.reset();  // after the unlink: unlocked, it would be taken for a message
    ledger_.done(slot_);
}

}  // namespace relais::queue
