#include "relay/store.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/sys.h"
#include "relay/address.h"

namespace relais::relay {
namespace {

constexpr std::string_view network_mark = "_64";
// One writer, so one name for what is being written; what kill -9 leaves is overwritten.
constexpr const char* temporary = ".new";

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};

std::string entry_path(const std::string& directory, std::string_view address) {
    return directory + "/" + std::to_string(split_of(address)) + "/" + file_name(address);
}

void write_whole(int fd, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const ssize_t count = sys::write(fd, content.data(), content.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("write", path);
        content.remove_prefix(static_cast<std::size_t>(count));
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
    const auto content = read_file(entry_path(directory_, address), entry_limit + 1);
    return content ? decode_entry(std::string(address), *content) : std::nullopt;
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
    root_ = Fd(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root_) throw_errno("open", directory_);
}

int StoreWriter::split_directory(unsigned split) {
    Fd& fd = splits_.at(split);
    if (fd) return fd.get();
    const std::string name = std::to_string(split);
    if (::mkdirat(root_.get(), name.c_str(), 0750) != 0 && errno != EEXIST)
        throw_errno("create", directory_ + "/" + name);
    fd = Fd(sys::openat(root_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) throw_errno("open", directory_ + "/" + name);
    return fd.get();
}

void StoreWriter::put(const Entry& entry) {
    const std::string path = entry_path(directory_, entry.address);
    const int directory = split_directory(split_of(entry.address));
    try {
        const Fd fd(
            sys::openat(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
        if (!fd) throw_errno("create", path);
        write_whole(fd.get(), encode(entry), path);
        if (::renameat(directory, temporary, directory, file_name(entry.address).c_str()) != 0)
            throw_errno("rename to", path);
    } catch (...) {
        sys::unlinkat(directory, temporary, 0);
        throw;
    }
}

bool StoreWriter::remove(std::string_view address) {
    const int directory = split_directory(split_of(address));
    if (sys::unlinkat(directory, file_name(address).c_str(), 0) == 0) return true;
    if (errno == ENOENT) return false;
    throw_errno("remove", entry_path(directory_, address));
}

}  // namespace relais::relay
