#include "local/write.h"

#include <array>
#include <cerrno>

#include "base/sys.h"

namespace relais::local {

bool write_fully(int fd, std::string_view data) {
    while (!data.empty()) {
        const ssize_t count = sys::write(fd, data.data(), data.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) {
            if (count == 0) errno = ENOSPC;
            return false;
        }
        data.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

bool write_two(int fd, std::string_view first, std::string_view second) {
    const std::array<iovec, 2> parts{iovec{const_cast<char*>(first.data()), first.size()},
                                     iovec{const_cast<char*>(second.data()), second.size()}};
    ssize_t count = 0;
    do {
        count = sys::writev(fd, parts.data(), 2);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return false;
    const auto written = static_cast<std::size_t>(count);
    if (written < first.size()) return write_fully(fd, first.substr(written)) && write_fully(fd, second);
    return write_fully(fd, second.substr(written - first.size()));
}

}  // namespace relais::local
