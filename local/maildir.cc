#include "local/maildir.h"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "base/error.h"
#include "base/fd.h"
#include "base/sys.h"
#include "base/time.h"
#include "local/write.h"

namespace relais::local {
namespace {

constexpr int name_attempts = 100;

[[noreturn]] void fail(std::string_view verb, const std::string& object, int error_number) {
    std::string text = "Temporary error on maildir delivery. (#4.3.0)\nunable to ";
    text.append(verb).append(" ").append(object).append(": ").append(errno_text(error_number));
    throw Error(Reaction::temporary, std::move(text), error_number);
}

std::string escaped_host() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
    std::string host;
    for (const char c : std::string_view(name.data())) {
        if (c == '/')
            host += "\\057";
        else if (c == ':')
            host += "\\072";
        else
            host += c;
    }
    return host.empty() ? "localhost" : host;
}

// Unique on this host as long as the clock does not stand still while process ids come round again; O_EXCL
// and link(2) see to it that even then nothing is overwritten.
std::string new_name() {
    static std::uint64_t deliveries = 0;
    const std::uint64_t now = now_microseconds();
    return std::to_string(now / 1000000) + ".M" + std::to_string(now % 1000000) + "P" +
           std::to_string(::getpid()) + "Q" + std::to_string(++deliveries) + "." + maildir_host();
}

// A new file in tmp/. Its name there goes when the delivery is over: by then it has another one in new/, or
// is of no use.
class TemporaryFile {
  public:
    explicit TemporaryFile(const std::string& directory) : directory_(directory) {
        for (int attempt = 0; attempt < name_attempts; ++attempt) {
            name_ = new_name();
            file_ = Fd(sys::open(path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
            if (file_) return;
            if (errno == ENOENT || errno == ENOTDIR)
                throw Error(Reaction::temporary, "Unable to chdir to maildir. (#4.2.1)", errno);
            if (errno != EEXIST) break;
        }
        fail("create", path(), errno);
    }
    ~TemporaryFile() { sys::unlink(path().c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    std::string path() const { return directory_ + "tmp/" + name_; }
    const std::string& name() const { return name_; }
    int fd() const { return file_.get(); }

  private:
    const std::string& directory_;
    std::string name_;
    Fd file_;
};

void write_message(const TemporaryFile& file, std::string_view head, const Message& message) {
    const std::string_view start = message.start();
    if (!write_two(file.fd(), head, start)) fail("write", file.path(), errno);
    if (message.size() == start.size()) return;
    std::uint64_t offset = 0;
    message.each_piece([&](std::string_view piece) {
        if (offset != 0 && !write_fully(file.fd(), piece)) fail("write", file.path(), errno);
        offset += piece.size();
    });
}

}  // namespace

const std::string& maildir_host() {
    static const std::string host = escaped_host();
    return host;
}

void deliver_to_maildir(const std::string& directory, std::string_view head, const Message& message) {
    const TemporaryFile file(directory);
    write_message(file, head, message);
    if (sys::fsync(file.fd()) != 0) fail("sync", file.path(), errno);
    const std::string final_directory = directory + "new";
    const std::string path = final_directory + "/" + file.name();
    const Fd directory_fd(sys::open(final_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    if (!directory_fd) fail("open", final_directory, errno);
    if (sys::link(file.path().c_str(), path.c_str()) != 0) fail("create", path, errno);
    if (sys::fsync(directory_fd.get()) == 0) return;
    const int error_number = errno;
    // It will be delivered again; with this copy there would be two.
    sys::unlink(path.c_str());
    fail("sync", final_directory, error_number);
}

}  // namespace relais::local
