#include "metrics/count.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <string>

#include "base/fd.h"
#include "metrics/page.h"

namespace relais::metrics {
namespace {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(std::atomic<std::uint64_t>) == sizeof(std::uint64_t));

// The disk has no room for the page, or has lost it: from now on this process counts for itself.
void on_bus_error(int, siginfo_t* info, void*) {
    auto* const begin = reinterpret_cast<char*>(detail::page.slots);
    const auto* const at = static_cast<const char*>(info->si_addr);
    if (begin != nullptr && at >= begin && at < begin + page_size &&
        ::mmap(begin, page_size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
            MAP_FAILED)
        return;
    // It comes again, and is deadly.
    ::signal(SIGBUS, SIG_DFL);
}

void take_bus_errors() {
    struct sigaction action {};
    action.sa_sigaction = &on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, nullptr);
}

// A page with all of its room, open for reading and writing.
Fd make_page(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
    if ((info.st_mode & 0777) != 0640 && info.st_uid == ::geteuid()) ::fchmod(fd.get(), 0640);
    if (::posix_fallocate(fd.get(), 0, page_size) != 0) return {};
    return fd;
}

}  // namespace

detail::OpenPage detail::page{};

void open_page(const control::Home& home, control::Role role) noexcept {
    const Fd fd = make_page(page_path(home, role));
    if (!fd) return;
    void* const memory = ::mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) return;
    detail::page = {role, static_cast<std::atomic<std::uint64_t>*>(memory)};
    take_bus_errors();
}

void observe(Key<Kind::histogram> key, std::uint64_t value) {
    const auto bounds = rows::table[key.row].bounds;
    std::size_t number = 0;
    while (number < bounds.size() && value > bounds[number]) ++number;
    detail::add(key.row, number, 1);
    detail::add(key.row, bounds.size() + 1, value);
}

}  // namespace relais::metrics
