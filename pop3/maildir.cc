#include "pop3/maildir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <memory>
#include <unordered_map>

#include "base/error.h"
#include "base/io.h"
#include "base/text.h"

namespace relais::pop3 {
namespace {

constexpr std::int64_t tmp_lifetime = 36 * 3600;
// What is read to count line ends at most; beyond it the files' sizes stand.
constexpr std::uint64_t counted_octets = std::uint64_t{32} << 20;
constexpr std::size_t counted_messages = 5000;
constexpr std::size_t unique_id_limit = 70;

// Calls visit with the name of every entry that does not begin with a dot.
void each_entry(int directory, const char* part, const std::function<void(const char*)>& visit) {
    const int fd = ::openat(directory, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) throw_errno("open", part);
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), &::closedir);
    if (!stream) {
        ::close(fd);
        throw_errno("read", part);
    }
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(stream.get());
        if (entry == nullptr) break;
        if (entry->d_name[0] != '.') visit(entry->d_name);
    }
    if (errno != 0) throw_errno("read", part);
}

// The octets as sent that a name tells itself: ",W=123" before the flags.
std::optional<std::uint64_t> told_size(std::string_view base_name) {
    const std::size_t at = base_name.find(",W=");
    if (at == std::string_view::npos) return std::nullopt;
    base_name.remove_prefix(at + 3);
    return parse_number(base_name.substr(0, base_name.find(',')));
}

// How many octets more than the file has will be sent: a CR for each LF without one, and a line end at the
// end.
std::uint64_t missing_octets(int fd) {
    std::vector<char> buffer(io_buffer_size);
    std::uint64_t missing = 0;
    char last = '\n';
    for (;;) {
        const std::size_t size = read_some(fd, buffer, Deadline::never());
        if (size == 0) return last == '\n' ? missing : missing + 2;
        const std::string_view text(buffer.data(), size);
        for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
            if ((at == 0 ? last : text[at - 1]) != '\r') ++missing;
        last = text.back();
    }
}

}  // namespace

Maildir::Maildir(const std::string& directory)
    : directory_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!directory_) throw_errno("open", directory);
    clean_tmp();
    scan("new", true);
    scan("cur", false);
    order();
}

void Maildir::clean_tmp() const {
    const std::int64_t now = std::time(nullptr);
    try {
        each_entry(directory_.get(), "tmp", [&](const char* name) {
            struct stat status {};
            const std::string path = std::string("tmp/") + name;
            if (::fstatat(directory_.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                now - std::max<std::int64_t>(status.st_atime, status.st_mtime) > tmp_lifetime)
                ::unlinkat(directory_.get(), path.c_str(), 0);
        });
    } catch (const Error&) {
        // A Maildir that cannot be cleaned can still be read.
    }
}

void Maildir::scan(const char* part, bool is_new) {
    const int fd = ::openat(directory_.get(), part, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) throw_errno("open", part);
    const Fd folder(fd);
    each_entry(directory_.get(), part, [&](const char* name) {
        struct stat status {};
        // Whatever has vanished since, or is no file, is no message.
        if (::fstatat(folder.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
            return;
        StoredMessage message;
        message.name = name;
        message.is_new = is_new;
        message.size = static_cast<std::uint64_t>(status.st_size);
        message.arrival = status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
        messages_.push_back(std::move(message));
    });
}

// By arrival. A message that was moved while we looked has been seen twice: the later sight counts.
void Maildir::order() {
    std::stable_sort(messages_.begin(), messages_.end(), [](const StoredMessage& a, const StoredMessage& b) {
        if (a.arrival != b.arrival) return a.arrival < b.arrival;
        return a.base_name() < b.base_name();
    });
    const auto kept = std::unique(messages_.rbegin(), messages_.rend(), [](const auto& a, const auto& b) {
        return a.base_name() == b.base_name();
    });
    messages_.erase(messages_.begin(), kept.base());
}

Maildir::Totals Maildir::totals() const {
    Totals totals;
    for (const StoredMessage& message : messages_) {
        if (message.deleted) continue;
        ++totals.count;
        totals.octets += message.size;
    }
    return totals;
}

void Maildir::count_sizes() {
    if (counted_) return;
    counted_ = true;
    std::uint64_t to_read = 0;
    std::size_t files = 0;
    for (StoredMessage& message : messages_) {
        if (const auto told = told_size(message.base_name())) {
            message.size = *told;
            message.exact = true;
            continue;
        }
        to_read += message.size;
        ++files;
    }
    if (to_read > counted_octets || files > counted_messages) return;
    for (StoredMessage& message : messages_) {
        if (message.exact) continue;
        message.exact = true;
        try {
            if (const Fd file = open(message)) message.size += missing_octets(file.get());
        } catch (const Error&) {
            // It cannot be read now; RETR will say so.
        }
    }
}

Fd Maildir::open(StoredMessage& message) {
    for (;;) {
        Fd file(::openat(directory_.get(), message.path().c_str(),
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        struct stat status {};
        if (file && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode)) return file;
        if (file) return {};
        if (errno != ENOENT) throw_errno("open", message.path());
        if (!find_again(message)) return {};
    }
}

// Somebody else has moved or renamed it: looks once at all names there are now, for all messages. False if it
// is gone.
bool Maildir::find_again(StoredMessage& message) {
    if (std::exchange(looked_again_, true)) return false;
    const std::string before = message.path();
    std::unordered_map<std::string, std::string> names;
    const auto look = [&](const char* part) {
        each_entry(directory_.get(), part, [&](const char* name) {
            const std::string_view text(name);
            names[std::string(text.substr(0, text.find(':')))] = std::string(part) + "/" + name;
        });
    };
    look("new");
    look("cur");
    for (StoredMessage& each : messages_) {
        const auto found = names.find(std::string(each.base_name()));
        if (found == names.end()) continue;
        each.is_new = found->second.starts_with("new/");
        each.name = found->second.substr(4);
    }
    return message.path() != before;
}

std::string Maildir::unique_id(const StoredMessage& message) {
    const std::string_view name = message.base_name();
    const bool printable =
        std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (printable && !name.empty() && name.size() <= unique_id_limit) return std::string(name);
    std::array<unsigned char, 16> digest{};
    ::crypto_generichash(digest.data(), digest.size(), reinterpret_cast<const unsigned char*>(name.data()),
                         name.size(), nullptr, 0);
    std::array<char, 2 * 16 + 1> text{};
    return ::sodium_bin2hex(text.data(), text.size(), digest.data(), digest.size());
}

bool Maildir::remove(StoredMessage& message) {
    for (;;) {
        if (::unlinkat(directory_.get(), message.path().c_str(), 0) == 0) return true;
        if (errno != ENOENT) return false;
        if (!find_again(message)) return true;
    }
}

bool Maildir::update() {
    bool all_removed = true;
    may_look_again();
    for (StoredMessage& message : messages_) {
        if (message.deleted) {
            all_removed = remove(message) && all_removed;
        } else if (message.is_new) {
            const std::string name =
                "cur/" + std::string(message.base_name()) + (message.retrieved ? ":2,S" : ":2,");
            // If it fails the message stays new.
            ::renameat(directory_.get(), message.path().c_str(), directory_.get(), name.c_str());
        }
    }
    return all_removed;
}

}  // namespace relais::pop3
