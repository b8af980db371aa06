#include "queue/drop.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/io.h"
#include "base/octets.h"
#include "base/program.h"
#include "base/sys.h"
#include "control/owners.h"
#include "queue/disk_floor.h"
#include "queue/protocol.h"

namespace relais::queue {
namespace {

// qmail-queued may have taken one for the leavings of a dead process, between its making and its lock.
constexpr int attempts = 3;

// Roles that act for somebody else, who is told when there is no room and keeps the message.
bool acts_for_others(const control::Home& home) {
    if (!environment(session_name, "").empty()) return true;
    const control::Owners owners = control::Owners::read_incomplete(home);
    if (owners.single()) return false;
    constexpr std::array others = {control::Role::qmaild, control::Role::qmailf, control::Role::qmails};
    return std::any_of(others.begin(), others.end(), [&](control::Role role) {
        return owners.has(role) && owners.of(role).uid == ::geteuid();
    });
}

// In a directory without the sticky bit somebody else could put another file in the place of ours.
Fd open_directory(const control::Home& home) {
    Fd directory(::open(drop_directory(home).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (!directory || ::fstat(directory.get(), &info) != 0) return Fd();
    if ((info.st_mode & S_ISVTX) == 0 || (info.st_mode & S_ISGID) == 0) return Fd();
    return directory;
}

std::string random_name() {
    std::array<unsigned char, drop_name_size / 2> octets{};
    if (::getrandom(octets.data(), octets.size(), 0) != static_cast<ssize_t>(octets.size()))
        throw_errno("ask for", "random octets");
    std::string name;
    for (const unsigned char octet : octets) name += fmt::format("{:02x}", octet);
    return name;
}

// Locked and with its mode; none if qmail-queued has removed it before it was locked.
Fd make_file(int directory, const std::string& name) {
    Fd file(sys::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        drop_file_mode));
    struct stat info {};
    if (!file || sys::flock(file.get(), LOCK_EX) != 0 || sys::fchmod(file.get(), drop_file_mode) != 0 ||
        sys::fstat(file.get(), &info) != 0)
        throw_errno("make a file in", "drop");
    return info.st_nlink == 1 ? std::move(file) : Fd();
}

}  // namespace

std::string drop_directory(const control::Home& home) {
    return home.path("drop");
}

std::string_view trouble_of_dropped(const struct stat& file, gid_t group) {
    if (!S_ISREG(file.st_mode)) return "it is not a plain file";
    if (file.st_gid != group) return "it was not made in that directory";
    if (file.st_nlink != 1) return "it has a second name";
    if ((file.st_mode & 07777) != drop_file_mode) return "it has another mode than 0640";
    if (static_cast<std::uint64_t>(file.st_size) > drop_file_limit + drop_checksum_size)
        return "it is too large";
    if (static_cast<std::uint64_t>(file.st_size) < drop_head_size + drop_checksum_size)
        return "it is not whole";
    return "";
}

bool is_drop_name(std::string_view name) {
    return name.size() == drop_name_size && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string drop_checksum(const Checksum& sum) {
    std::string octets;
    append_le(octets, sum.value(), drop_checksum_size);
    return octets;
}

std::unique_ptr<Drop> Drop::make(const control::Home& home) {
    // A caller whose files may not grow has an error from it, and no sudden end.
    ::signal(SIGXFSZ, SIG_IGN);
    try {
        Fd directory = open_directory(home);
        if (!directory || acts_for_others(home)) return nullptr;
        if (DiskFloor(home).reached(directory.get(), false)) return nullptr;
        for (int i = 0; i < attempts; ++i) {
            const std::string name = random_name();
            Fd file = make_file(directory.get(), name);
            if (!file) continue;
            std::unique_ptr<Drop> drop(new Drop(std::move(directory), name, std::move(file)));
            std::string head(drop_magic);
            append_le(head, static_cast<std::uint64_t>(::getpid()), drop_head_size - drop_magic.size());
            drop->write(head);
            return drop;
        }
    } catch (const Error&) {
        // Then the answer is the one that there would be without a drop directory.
    }
    return nullptr;
}

Drop::Drop(Fd directory, std::string name, Fd file)
    : directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)) {}

Drop::~Drop() {
    if (!kept_) sys::unlinkat(directory_.get(), name_.c_str(), 0);
}

void Drop::write(std::string_view octets) {
    size_ += octets.size();
    if (size_ > drop_file_limit) throw_errno("write more into", "drop", EFBIG);
    checksum_.update(octets);
    write_all(file_.get(), octets, Deadline::never());
}

// Who may not read the directory cannot sync it by itself; the whole file system, he can.
void Drop::sync() const {
    if (sys::fsync(file_.get()) != 0) throw_errno("sync", "a file in drop");
    const Fd readable(sys::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    if ((readable ? sys::fsync(readable.get()) : sys::syncfs(file_.get())) != 0) throw_errno("sync", "drop");
}

void Drop::keep() {
    write_all(file_.get(), drop_checksum(checksum_), Deadline::never());
    sync();
    struct stat info {};
    if (sys::fstat(file_.get(), &info) != 0 || info.st_nlink != 1)
        throw_errno("keep", "a file in drop", ENOENT);
    kept_ = true;
    file_.reset();
}

}  // namespace relais::queue
