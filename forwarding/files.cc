#include "forwarding/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/io.h"
#include "base/path.h"
#include "base/sys.h"
#include "forwarding/aliases.h"

namespace relais::forwarding {
namespace {

constexpr std::size_t input_limit = std::size_t{1} << 30;
constexpr std::size_t list_limit = std::size_t{256} << 20;

// The records end where the first table begins, which stands in the first four octets.
bool has_whole_records(std::string_view cdb) {
    constexpr std::size_t head_size = 2048;
    if (cdb.size() < head_size) return false;
    std::size_t end = 0;
    for (std::size_t i = 0; i < 4; ++i)
        end |= static_cast<std::size_t>(static_cast<unsigned char>(cdb[i])) << (8 * i);
    return end >= head_size && end <= cdb.size();
}

}  // namespace

std::string read_input() {
    try {
        return read_to_end(STDIN_FILENO, input_limit, Deadline::never());
    } catch (const Error& error) {
        throw Error(Reaction::temporary, std::string("unable to read input: ") + errno_text(error.number()),
                    error.number());
    }
}

CdbReader cdb_of_input() {
    const std::string content = read_input();
    if (!has_whole_records(content)) throw_permanent("bad database format");
    const Fd copy(::memfd_create("cdb", MFD_CLOEXEC));
    if (!copy) throw_errno("copy", "input");
    write_all(copy.get(), content, Deadline::never());
    try {
        return CdbReader("/proc/self/fd/" + std::to_string(copy.get()));
    } catch (const Error& error) {
        if (error.number() != EPROTO) throw;
        throw_permanent("bad database format");
    }
}

void write_list(const std::string& path, const std::string& temporary, const std::string& list) {
    const Fd file(sys::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file || ::fchmod(file.get(), 0644) != 0) throw_errno("create", temporary);
    write_all(file.get(), list, Deadline::never());
    if (sys::fsync(file.get()) != 0) throw_errno("write to", temporary);
    if (sys::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("move " + temporary + " to", path);
    sync_directory(directory_of(path));
}

std::string read_list(const std::string& name) {
    const bool text = name.starts_with(':');
    const std::string path = name.substr(text ? 1 : 0);
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0) throw_errno("read", path);
    if (!S_ISREG(info.st_mode)) throw Error(Reaction::temporary, path + " is no regular file");
    if (!text && (info.st_mode & S_IROTH) == 0)
        throw Error(Reaction::temporary, path + " is not world-readable");
    const std::string content = read_to_end(file.get(), list_limit, Deadline::never());
    if (!text) return content;
    try {
        return parse_include(content);
    } catch (const Error& error) {
        throw Error(Reaction::temporary, path + ": " + error.what());
    }
}

}  // namespace relais::forwarding
