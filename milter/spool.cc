#include "milter/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"

namespace relais::milter {
namespace {

// Some file systems know no file without a name.
Fd unnamed_file(const std::string& directory) {
    Fd file(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) return file;
    const std::string path = directory + "/message." + std::to_string(::getpid());
    ::unlink(path.c_str());
    file = Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file) ::unlink(path.c_str());
    return file;
}

}  // namespace

void Spool::append(std::string_view text) {
    if (text.empty()) return;
    size_ += text.size();
    last_ = text.back();
    if (!file_ && memory_.size() + text.size() <= memory_limit) {
        memory_ += text;
        return;
    }
    if (!file_) {
        file_ = unnamed_file(directory_);
        if (!file_) throw_errno("make a file in", directory_);
        write_out(memory_);
        std::string().swap(memory_);
    }
    write_out(text);
}

void Spool::write_out(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::pwrite(file_.get(), text.data(), text.size(), static_cast<off_t>(written_));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno("write a message into", directory_);
        written_ += static_cast<std::uint64_t>(count);
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

std::string_view Spool::read(std::uint64_t offset, std::size_t count) {
    if (offset >= size_) return {};
    count = static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - offset));
    if (!file_) return std::string_view(memory_).substr(static_cast<std::size_t>(offset), count);
    piece_.resize(count);
    for (std::size_t have = 0; have < count;) {
        const ssize_t got =
            ::pread(file_.get(), piece_.data() + have, count - have, static_cast<off_t>(offset + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw_errno("read a message from", directory_);
        if (got == 0) throw_errno("read a message from", directory_, EIO);
        have += static_cast<std::size_t>(got);
    }
    return piece_;
}

}  // namespace relais::milter
