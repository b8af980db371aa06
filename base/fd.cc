#include "base/fd.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

#include "base/error.h"

namespace relais {

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("create", "a pipe");
    return {Fd(ends[0]), Fd(ends[1])};
}

std::size_t raise_descriptor_limit(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throw_errno("read", "the limit of descriptors");
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

void set_nonblocking(int fd, bool on) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
        throw_errno("change the blocking mode of", "a descriptor");
}

void set_close_on_exec(int fd, bool on) {
    if (::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0) throw_errno("change close-on-exec of", "a descriptor");
}

}  // namespace relais
