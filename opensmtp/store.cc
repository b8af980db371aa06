#include "opensmtp/store.h"

#include <dirent.h>
#include <fcntl.h>

#include <array>
#include <memory>

#include "base/error.h"
#include "base/sys.h"
#include "opensmtp/address.h"
#include "opensmtp/entry_file.h"

namespace relais::opensmtp {
namespace {

constexpr std::string_view network_mark = "_64";
// Of a record that a login is just replacing: the next look finds it whole.
constexpr int looks = 3;

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string entry_path(const std::string& directory, std::string_view address) {
    return directory + "/" + std::to_string(split_of(address)) + "/" + file_name(address);
}

// Both slots at once. Throws Error.
EntryFile read_entry_file(int fd, std::string_view address, const std::string& path) {
    std::array<char, entry_file_size> buffer;
    for (int look = 1;; ++look) {
        const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("read", path);
        EntryFile file =
            decode_entry_file(address, std::string_view(buffer.data(), static_cast<std::size_t>(count)));
        if (file.entry || count == 0 || look >= looks) return file;
    }
}

void write_slot(int fd, std::string_view slot, std::size_t offset, const std::string& path) {
    while (!slot.empty()) {
        const ssize_t count = sys::pwrite(fd, slot.data(), slot.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("write", path);
        slot.remove_prefix(static_cast<std::size_t>(count));
        offset += static_cast<std::size_t>(count);
    }
}

}  // namespace

// FNV-1a: short texts, and only an even spread is wanted.
unsigned split_of(std::string_view address) {
    std::uint32_t hash = 2166136261U;
    for (const char c : address) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return (hash ^ (hash >> 16)) % store_splits;
}

std::string file_name(std::string_view address) {
    const std::size_t slash = address.find('/');
    if (slash == std::string_view::npos) return std::string(address);
    return std::string(address.substr(0, slash)) + std::string(network_mark);
}

std::optional<std::string> address_of_file(std::string_view name) {
    const bool network = name.ends_with(network_mark);
    if (network) name.remove_suffix(network_mark.size());
    const auto address = canonical_client(name);
    if (!address || *address != name) return std::nullopt;
    if (!network) return address;
    const auto whole = network64(*address);
    return whole && *whole == *address + "/64" ? whole : std::nullopt;
}

std::optional<Entry> OpenSmtpStore::look_up(std::string_view address) const {
    const std::string path = entry_path(directory_, address);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) {
        if (errno == ENOENT) return std::nullopt;
        throw_errno("open", path);
    }
    return read_entry_file(fd.get(), address, path).entry;
}

void OpenSmtpStore::for_each(const std::function<void(const Entry&)>& visit) const {
    for (unsigned split = 0; split < store_splits; ++split)
        for (const std::string& address : addresses(split))
            if (const auto entry = look_up(address)) visit(*entry);
}

std::vector<std::string> OpenSmtpStore::addresses(unsigned split) const {
    const std::string path = directory_ + "/" + std::to_string(split);
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path.c_str()));
    std::vector<std::string> found;
    if (!directory) {
        if (errno == ENOENT) return found;
        throw_errno("open", path);
    }
    errno = 0;
    while (const dirent* item = ::readdir(directory.get())) {
        if (auto address = address_of_file(item->d_name)) found.push_back(std::move(*address));
        errno = 0;
    }
    if (errno != 0) throw_errno("read", path);
    return found;
}

StoreWriter::StoreWriter(const control::Home& home) : directory_(home.path("open-smtp")) {
    open_root();
}

void StoreWriter::open_root() {
    root_ = Fd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root_) throw_errno("open", directory_);
}

int StoreWriter::split_directory(unsigned split) {
    Fd& fd = splits_.at(split);
    if (fd) return fd.get();
    if (!root_) open_root();
    const std::string name = std::to_string(split);
    if (::mkdirat(root_.get(), name.c_str(), 0750) != 0 && errno != EEXIST)
        throw_errno("create", directory_ + "/" + name);
    fd = Fd(sys::openat(root_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open", directory_ + "/" + name);
    return fd.get();
}

// The file of an address, made if it is not there.
Fd StoreWriter::open_entry(unsigned split, const std::string& name) {
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_NOATIME;
    const int fd = sys::openat(split_directory(split), name.c_str(), flags);
    if (fd >= 0) return Fd(fd);
    // Somebody else's file in our directory, a restored one say: it cannot be written, and the login counts.
    if (errno == EACCES || errno == EPERM)
        sys::unlinkat(split_directory(split), name.c_str(), 0);
    else if (errno != ENOENT)
        return {};
    return Fd(sys::openat(split_directory(split), name.c_str(), flags | O_CREAT, 0640));
}

std::optional<Entry> StoreWriter::put(const Entry& entry) {
    const std::string path = entry_path(directory_, entry.address);
    const unsigned split = split_of(entry.address);
    const std::string name = file_name(entry.address);
    Fd fd = open_entry(split, name);
    if (!fd && errno == ENOENT) {
        // Somebody has emptied the store under us.
        splits_.at(split).reset();
        root_.reset();
        fd = open_entry(split, name);
    }
    if (!fd) throw_errno("create", path);
    EntryFile file = read_entry_file(fd.get(), entry.address, path);
    try {
        write_slot(fd.get(), encode_slot(entry, file.number + 1), file.next_offset, path);
    } catch (...) {
        // Nothing that counts is in it: no name without an entry stays.
        if (!file.entry) sys::unlinkat(split_directory(split), name.c_str(), 0);
        throw;
    }
    return std::move(file.entry);
}

bool StoreWriter::remove(std::string_view address) {
    const int directory = split_directory(split_of(address));
    if (sys::unlinkat(directory, file_name(address).c_str(), 0) == 0) return true;
    if (errno == ENOENT) return false;
    throw_errno("remove", entry_path(directory_, address));
}

}  // namespace relais::opensmtp
