#include "remote/tcpto.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "base/held_directory.h"
#include "queue/store.h"
#include "remote/record_lock.h"

namespace relais::remote {
namespace {

constexpr std::size_t record_size = 32;
constexpr std::size_t record_count = 512;
constexpr std::size_t count_offset = 16;
constexpr std::size_t time_offset = 24;
constexpr int rest_from = 2;
constexpr int count_limit = 10;
constexpr std::int64_t same_event_seconds = 120;

using Address = std::array<unsigned char, 16>;
using Record = std::array<unsigned char, record_size>;

std::optional<Address> parse(std::string_view text) {
    const std::string name(text);
    Address address{};
    if (::inet_pton(AF_INET6, name.c_str(), address.data()) == 1) return address;
    address.fill(0);
    address[10] = address[11] = 0xff;
    if (::inet_pton(AF_INET, name.c_str(), address.data() + 12) == 1) return address;
    return std::nullopt;
}

std::string print(const Record& record) {
    char text[INET6_ADDRSTRLEN];
    const Address v4_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
    const bool is_v4 = std::equal(record.begin(), record.begin() + 12, v4_prefix.begin());
    return ::inet_ntop(is_v4 ? AF_INET : AF_INET6, record.data() + (is_v4 ? 12 : 0), text, sizeof text);
}

std::int64_t time_of(const Record& record) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i > 0; --i) value = value << 8 | record[time_offset + i - 1];
    return static_cast<std::int64_t>(value);
}

void set_time(Record& record, std::int64_t when) {
    for (std::size_t i = 0; i < 8; ++i)
        record[time_offset + i] =
            static_cast<unsigned char>(static_cast<std::uint64_t>(when) >> (8 * i) & 0xff);
}

// What cannot be read gives no advice; an administrator is told.
enum class Trouble { is_no_advice, is_told };

std::vector<Record> read_table(int fd, Trouble trouble = Trouble::is_no_advice) {
    std::vector<Record> table(record_count);
    const ssize_t count = ::pread(fd, table.data(), table.size() * record_size, 0);
    if (count < 0 && trouble == Trouble::is_told) throw_errno("read", "queue/lock/tcpto");
    table.resize(count > 0 ? static_cast<std::size_t>(count) / record_size : 0);
    return table;
}

std::vector<Record>::iterator find(std::vector<Record>& table, const Address& address) {
    return std::find_if(table.begin(), table.end(), [&](const Record& record) {
        return record[count_offset] != 0 && std::equal(address.begin(), address.end(), record.begin());
    });
}

void write_record(int fd, const std::vector<Record>& table, std::vector<Record>::const_iterator record) {
    const auto index = static_cast<std::size_t>(record - table.begin());
    [[maybe_unused]] const ssize_t advice =
        ::pwrite(fd, record->data(), record_size, static_cast<off_t>(index * record_size));
}

// An unused record, or the one that timed out longest ago.
std::vector<Record>::iterator make_room(std::vector<Record>& table) {
    if (table.size() < record_count) return table.insert(table.end(), Record{});
    return std::min_element(table.begin(), table.end(), [](const Record& a, const Record& b) {
        return std::pair(a[count_offset] != 0, time_of(a)) < std::pair(b[count_offset] != 0, time_of(b));
    });
}

// Below queue/, which is qmailq's and qmails', no link is followed: root opens it too. No descriptor, with
// errno, if that fails.
Fd open_table(const control::Home& home, int flags) {
    Fd queue(::open(home.path("queue").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!queue) return queue;
    return HeldDirectory(std::move(queue), home.path("queue"))
        .try_open("lock/tcpto", flags | O_NOFOLLOW | O_NONBLOCK, 0644);
}

}  // namespace

TimeoutTable TimeoutTable::open(const control::Home& home) {
    try {
        return TimeoutTable(open_table(home, O_RDWR | O_CREAT));
    } catch (const Error&) {
        return TimeoutTable();
    }
}

TimeoutTable TimeoutTable::open_existing(const control::Home& home, int flags) {
    const std::string path = queue::tcpto_path(home);
    Fd fd = open_table(home, flags);
    if (!fd && errno != ENOENT) throw_errno("open", path);
    struct stat status {};
    if (fd && ::fstat(fd.get(), &status) == 0 && !S_ISREG(status.st_mode))
        throw Error(Reaction::temporary, "unable to use " + path + ": it is not a file");
    const std::string directory = path.substr(0, path.rfind('/'));
    if (!fd && ::access(directory.c_str(), F_OK) != 0) {
        const int error_number = errno;
        throw Error(Reaction::temporary,
                    "unable to look at " + directory + ": " + errno_text(error_number) +
                        " (qmail-setup --check " + home.directory() + " tells)",
                    error_number);
    }
    return TimeoutTable(std::move(fd));
}

void TimeoutTable::give_to(uid_t uid, gid_t gid) {
    struct stat status {};
    if (!fd_ || ::fstat(fd_.get(), &status) != 0 || status.st_uid == uid) return;
    // root gives away only what it has just made, whatever qmailq has put there under this name.
    const bool fresh =
        S_ISREG(status.st_mode) && status.st_nlink == 1 && status.st_size == 0 && status.st_uid == 0;
    if (!fresh || ::fchown(fd_.get(), uid, gid) != 0) fd_.reset();
}

bool TimeoutTable::is_resting(std::string_view address, std::int64_t now) const {
    const auto wanted = parse(address);
    if (!fd_ || !wanted) return false;
    const RecordLock lock(fd_.get(), F_RDLCK);
    std::vector<Record> table = read_table(fd_.get());
    const auto record = find(table, *wanted);
    if (record == table.end() || (*record)[count_offset] < rest_from) return false;
    const std::int64_t rest = (60 + (::getpid() & 31)) * 60;
    const std::int64_t since = now - time_of(*record);
    return since >= 0 && since < rest;
}

void TimeoutTable::note_timeout(std::string_view address, std::int64_t now) {
    const auto wanted = parse(address);
    if (!fd_ || !wanted) return;
    const RecordLock lock(fd_.get(), F_WRLCK);
    std::vector<Record> table = read_table(fd_.get());
    auto record = find(table, *wanted);
    if (record == table.end()) {
        record = make_room(table);
        *record = Record{};
        std::copy(wanted->begin(), wanted->end(), record->begin());
    } else if (now >= time_of(*record) && now - time_of(*record) < same_event_seconds) {
        return;
    }
    unsigned char& count = (*record)[count_offset];
    count = static_cast<unsigned char>(std::min(count + 1, count_limit));
    set_time(*record, now);
    write_record(fd_.get(), table, record);
}

void TimeoutTable::note_success(std::string_view address) {
    const auto wanted = parse(address);
    if (!fd_ || !wanted) return;
    std::vector<Record> table = read_table(fd_.get());
    if (find(table, *wanted) == table.end()) return;  // the common case takes no lock
    const RecordLock lock(fd_.get(), F_WRLCK);
    table = read_table(fd_.get());
    const auto record = find(table, *wanted);
    if (record == table.end()) return;
    (*record)[count_offset] = 0;
    write_record(fd_.get(), table, record);
}

std::vector<TimeoutTable::Entry> TimeoutTable::entries() const {
    std::vector<Entry> result;
    if (!fd_) return result;
    const RecordLock lock(fd_.get(), F_RDLCK);
    for (const Record& record : read_table(fd_.get(), Trouble::is_told))
        if (record[count_offset] != 0)
            result.push_back({print(record), record[count_offset], time_of(record)});
    return result;
}

void TimeoutTable::clear() {
    if (!fd_) return;
    const RecordLock lock(fd_.get(), F_WRLCK);
    if (::ftruncate(fd_.get(), 0) != 0) throw_errno("empty", "queue/lock/tcpto");
}

}  // namespace relais::remote
