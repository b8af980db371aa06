#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "base/sys.h"

namespace relais::sys {
namespace {

constexpr std::size_t at_once = 64;

// The kernel's queue of asynchronous work, made when it is first needed; 0 where the kernel gives none. It is
// lost in a fork, so it belongs to a process.
aio_context_t& context() {
    static pid_t owner = 0;
    static aio_context_t made = 0;
    if (owner == ::getpid()) return made;
    owner = ::getpid();
    made = 0;
    if (::syscall(SYS_io_setup, at_once, &made) != 0) made = 0;
    return made;
}

int error_of_fsync(int file) {
    return ::fsync(file) == 0 ? 0 : errno;
}

// How many of them, the first ones, have been begun.
std::size_t submit(aio_context_t queue, std::span<const int> files, std::vector<iocb>& orders) {
    std::vector<iocb*> all;
    for (std::size_t i = 0; i < files.size(); ++i) {
        orders[i].aio_lio_opcode = IOCB_CMD_FSYNC;
        orders[i].aio_fildes = static_cast<std::uint32_t>(files[i]);
        orders[i].aio_data = i;
        all.push_back(&orders[i]);
    }
    const long begun = ::syscall(SYS_io_submit, queue, static_cast<long>(all.size()), all.data());
    return begun > 0 ? static_cast<std::size_t>(begun) : 0;
}

void wait_for(aio_context_t queue, std::size_t count, std::vector<io_event>& events, std::span<int> errors) {
    while (count > 0) {
        const long got = ::syscall(SYS_io_getevents, queue, static_cast<long>(count),
                                   static_cast<long>(count), events.data(), nullptr);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            // Without an answer nothing is known to be durable: the errors stay. A late answer must meet
            // nobody.
            ::syscall(SYS_io_destroy, queue);
            context() = 0;
            return;
        }
        for (long i = 0; i < got; ++i) {
            const io_event& event = events[static_cast<std::size_t>(i)];
            errors[event.data] = event.res < 0 ? static_cast<int>(-event.res) : 0;
        }
        count -= static_cast<std::size_t>(got);
    }
}

void sync_some(std::span<const int> files, std::span<int> errors) {
    std::fill(errors.begin(), errors.end(), EIO);
    std::size_t begun = 0;
    if (const aio_context_t queue = files.size() > 1 ? context() : 0; queue != 0) {
        // All memory before the first order: nothing may fail between it and its answer, which the next call
        // would take for its own.
        std::vector<iocb> orders(files.size());
        std::vector<io_event> events(files.size());
        begun = submit(queue, files, orders);
        wait_for(queue, begun, events, errors);
    }
    for (std::size_t i = begun; i < files.size(); ++i) errors[i] = error_of_fsync(files[i]);
}

}  // namespace

void fsync_all(std::span<const int> files, std::span<int> errors) {
    for (std::size_t i = 0; i < files.size(); i += at_once) {
        const std::size_t count = std::min(at_once, files.size() - i);
        sync_some(files.subspan(i, count), errors.subspan(i, count));
    }
}

}  // namespace relais::sys
