#include "queue/store.h"

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/held_directory.h"
#include "base/io.h"
#include "base/sys.h"
#include "base/text.h"
#include "queue/protocol.h"

namespace relais::queue {
namespace {

// Of the list of messages to try again: some millions.
constexpr std::size_t retries_limit = std::size_t{64} << 20;
constexpr std::size_t clock_limit = 65536;

std::string place(const control::Home& home, std::string_view kind, std::size_t split) {
    return home.path("queue/" + std::string(kind) + "/" + std::to_string(split));
}

Fd open_or_throw(const std::string& path, int flags) {
    Fd fd(sys::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) throw_errno("open", path);
    return fd;
}

void sync_or_throw(int fd, const std::string& path) {
    if (sys::fsync(fd) != 0) throw_errno("sync", path);
}

void unlink_if_there(const std::string& path) {
    if (sys::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("remove", path);
}

// All of data at that offset.
void write_at(int fd, std::string_view data, std::uint64_t offset, const std::string& path) {
    while (!data.empty()) {
        const ssize_t count = sys::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("write", path);
        data.remove_prefix(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
}

// Reads size octets at offset; fewer only if the file ends before.
std::string read_at(int fd, std::uint64_t offset, std::size_t size, const std::string& path) {
    std::string data(size, '\0');
    std::size_t have = 0;
    while (have < size) {
        const ssize_t count = ::pread(fd, data.data() + have, size - have, static_cast<off_t>(offset + have));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("read", path);
        if (count == 0) break;
        have += static_cast<std::size_t>(count);
    }
    data.resize(have);
    return data;
}

// Whoever may only read, as deliveries may, can take no lock that this sees.
bool is_being_written(int fd) {
    struct flock whole {};
    whole.l_type = F_RDLCK;
    return ::fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

Checksum checksum_of_body(int fd, std::uint64_t size, const std::string& path) {
    Checksum sum;
    for (std::uint64_t at = 0; at < size;) {
        const std::string piece = read_at(
            fd, at, static_cast<std::size_t>(std::min<std::uint64_t>(size - at, io_buffer_size)), path);
        if (piece.empty()) break;
        sum.update(piece);
        at += piece.size();
    }
    return sum;
}

}  // namespace

void lock_while_written(int fd) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    // Without it, in a file system that has no locks, only the restart of qmail-send under load is less sure.
    [[maybe_unused]] const int locked = ::fcntl(fd, F_OFD_SETLK, &whole);
}

std::string message_directory(const control::Home& home, std::size_t split) {
    return place(home, "mess", split);
}
std::string bounce_directory(const control::Home& home, std::size_t split) {
    return place(home, "bounce", split);
}
std::string message_path(const control::Home& home, MessageId id) {
    return message_directory(home, id % split_count) + "/" + std::to_string(id);
}
std::string bounce_path(const control::Home& home, MessageId id) {
    return bounce_directory(home, id % split_count) + "/" + std::to_string(id);
}
std::string damaged_directory(const control::Home& home) {
    return home.path("queue/damaged");
}
std::string damaged_path(const control::Home& home, MessageId id) {
    return damaged_directory(home) + "/" + std::to_string(id);
}
std::string send_lock_path(const control::Home& home) {
    return home.path("queue/lock/send");
}
Fd open_send_lock(const control::Home& home) {
    const std::string path = send_lock_path(home);
    Fd fd =
        HeldDirectory(home.path("queue")).open("lock/send", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) throw_errno("look at", path);
    if (!S_ISREG(info.st_mode))
        throw Error(Reaction::temporary, "unable to use " + path + ": it is not a file");
    return fd;
}
std::string queued_lock_path(const control::Home& home) {
    return home.path("queue/lock/queued");
}
std::string checkpoint_path(const control::Home& home) {
    return home.path("queue/checkpoint");
}

std::string retry_path(const control::Home& home) {
    return home.path("queue/retry");
}
std::string destinations_path(const control::Home& home) {
    return home.path("queue/destinations");
}

std::string clock_path(const control::Home& home) {
    return home.path("queue/clock");
}

std::vector<std::string> queue_directories(const control::Home& home) {
    std::vector<std::string> all;
    for (const char* name : {"queue", "queue/lock", "queue/damaged", "queue/mess", "queue/bounce"})
        all.push_back(home.path(name));
    for (std::size_t split = 0; split < split_count; ++split) {
        all.push_back(message_directory(home, split));
        all.push_back(bounce_directory(home, split));
    }
    return all;
}

std::optional<MessageId> parse_message_name(std::string_view name) {
    // A leading zero would give one message two names.
    if (name.empty() || name.front() == '0') return std::nullopt;
    return parse_number(name);
}

void move_durably(const std::string& from, const std::string& to) {
    if (sys::rename_new(from.c_str(), to.c_str()) != 0) throw_errno("move " + from + " to", to);
    for (const std::string& path : {to, from}) sync_directory(path.substr(0, path.rfind('/')));
}

bool was_removed(int directory) {
    struct stat info {};
    return ::fstat(directory, &info) == 0 && info.st_nlink == 0;
}

// -1 with errno, as open(2).
int Store::open_in_place(MessageId id, int flags) const {
    Fd& directory = (*directories_)[id % split_count];
    // In the place of one that was removed there may be another by now.
    for (bool again : {true, false}) {
        if (!directory)
            directory = Fd(sys::open(message_directory(home_, id % split_count).c_str(),
                                     O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!directory) return -1;
        const int fd =
            sys::openat(directory.get(), std::to_string(id).c_str(), flags | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 || errno != ENOENT || !again || !was_removed(directory.get())) return fd;
        directory.reset();
    }
    return -1;
}

Load Store::load(MessageId id, StoredMessage& message, bool verify, Fd* file,
                 std::uint64_t envelope_most) const {
    const std::string path = message_path(home_, id);
    // Nobody waits here for the other end of a pipe that was put into the queue.
    Fd fd(open_in_place(id, O_RDONLY | O_NONBLOCK));
    if (!fd) {
        if (errno == ENOENT) return Load::missing;
        if (errno == ELOOP || errno == ENXIO) return Load::damaged;
        throw_errno("open", path);
    }
    struct stat info {};
    if (sys::fstat(fd.get(), &info) != 0) throw_errno("look at", path);
    if (!S_ISREG(info.st_mode)) return Load::damaged;
    if (verify && is_being_written(fd.get())) return Load::unfinished;

    // Most messages are small: then this one read is all there is to do.
    const auto size = static_cast<std::uint64_t>(info.st_size);
    const std::uint64_t first = size > io_buffer_size ? size - io_buffer_size : 0;
    std::string tail = read_at(fd.get(), first, static_cast<std::size_t>(size - first), path);
    if (tail.size() != size - first || tail.size() < status_size + footer_size) return Load::damaged;
    const auto footer = decode_footer(std::string_view(tail).substr(tail.size() - footer_size), size);
    if (!footer) return footer_trace(tail) == Trace::another_version ? Load::another_version : Load::damaged;
    if (footer->envelope_size > envelope_most) return Load::large;

    message.id = id;
    message.message_size = footer->message_size;
    message.status_offset = footer->message_size + footer->envelope_size;
    message.status =
        decode_status(std::string_view(tail).substr(tail.size() - footer_size - status_size, status_size));
    std::string envelope_octets;
    if (first <= footer->message_size)
        envelope_octets = tail.substr(static_cast<std::size_t>(footer->message_size - first),
                                      static_cast<std::size_t>(footer->envelope_size));
    else
        envelope_octets =
            read_at(fd.get(), footer->message_size, static_cast<std::size_t>(footer->envelope_size), path);
    auto envelope = decode_envelope(std::move(envelope_octets), footer->message_size, footer->version);
    if (!envelope) return Load::damaged;
    message.envelope = std::move(*envelope);
    if (!verify) {
        if (file != nullptr) *file = std::move(fd);
        return Load::whole;
    }

    Checksum body;
    if (first == 0)
        body.update(std::string_view(tail).substr(0, static_cast<std::size_t>(footer->message_size)));
    else
        body = checksum_of_body(fd.get(), footer->message_size, path);
    if (checksum_unmarked(body, message.envelope) != footer->checksum) return Load::damaged;
    if (file != nullptr) *file = std::move(fd);
    return Load::whole;
}

Fd Store::open_for_delivery(MessageId id) const {
    return open_or_throw(message_path(home_, id), O_RDONLY);
}

void Store::mark(MessageId id, const Recipient& recipient, Mark mark, bool durable) const {
    mark_all(id, {recipient}, mark, durable);
}

void Store::mark_all(MessageId id, const std::vector<Recipient>& recipients, Mark mark, bool durable) const {
    const std::string path = message_path(home_, id);
    const Fd fd = open_or_throw(path, O_WRONLY);
    const char octet = static_cast<char>(mark);
    for (const Recipient& recipient : recipients)
        write_at(fd.get(), std::string_view(&octet, 1), recipient.mark_offset, path);
    if (durable) sync_or_throw(fd.get(), path);
}

void Store::write_status(const StoredMessage& message) const {
    const std::string path = message_path(home_, message.id);
    const Fd fd = open_or_throw(path, O_WRONLY);
    write_at(fd.get(), encode_status(message.status), message.status_offset, path);
}

void Store::remove(MessageId id) const {
    remove_bounce(id);
    remove_message(id);
}

void Store::remove_message(MessageId id) const {
    unlink_if_there(message_path(home_, id));
}

void Store::append_bounce(MessageId id, std::string_view text) const {
    const std::string path = bounce_path(home_, id);
    const Fd fd(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660));
    if (!fd) throw_errno("create", path);
    struct stat info {};
    if (sys::fstat(fd.get(), &info) != 0) throw_errno("look at", path);
    try {
        write_at(fd.get(), text, static_cast<std::uint64_t>(info.st_size), path);
    } catch (const Error&) {
        // Half a text would be told to the sender; what cannot be cut off is repeated at worst.
        [[maybe_unused]] const int cut = sys::ftruncate(fd.get(), info.st_size);
        throw;
    }
    sync_or_throw(fd.get(), path);
    // Also when the file was there: whoever made it may have died before its name was synced.
    sync_directory(bounce_directory(home_, id % split_count));
}

std::optional<std::string> Store::read_bounce(MessageId id, std::size_t limit) const {
    const std::string path = bounce_path(home_, id);
    const Fd fd(sys::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) {
        if (errno == ENOENT) return std::nullopt;
        throw_errno("open", path);
    }
    struct stat info {};
    if (sys::fstat(fd.get(), &info) != 0) throw_errno("look at", path);
    const auto size = std::min<std::uint64_t>(static_cast<std::uint64_t>(info.st_size), limit);
    return read_at(fd.get(), 0, static_cast<std::size_t>(size), path);
}

void Store::remove_bounce(MessageId id) const {
    unlink_if_there(bounce_path(home_, id));
}

// In place: a power cut leaves an older one, or none.
void Store::keep_clock(std::string_view text) const {
    const std::string path = clock_path(home_);
    const Fd fd(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660));
    if (!fd) throw_errno("create", path);
    write_at(fd.get(), text, 0, path);
    if (sys::ftruncate(fd.get(), static_cast<off_t>(text.size())) != 0) throw_errno("write", path);
}

std::string Store::read_clock() const {
    return read_file(clock_path(home_), clock_limit).value_or("");
}

void Store::note_retry(MessageId id) const {
    const std::string path = retry_path(home_);
    const Fd fd(sys::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0660));
    if (!fd) throw_errno("create", path);
    write_all(fd.get(), std::to_string(id) + "\n", Deadline::never());
}

std::vector<MessageId> Store::take_retries() const {
    std::vector<MessageId> ids;
    const auto content = read_file(retry_path(home_), retries_limit);
    if (!content) return ids;
    unlink_if_there(retry_path(home_));
    for (const std::string_view line : split(*content, '\n'))
        if (const auto id = parse_message_name(line)) ids.push_back(*id);
    return ids;
}

}  // namespace relais::queue
