#include "metrics/page.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/error.h"
#include "base/fd.h"

namespace relais::metrics {
namespace {

// What a double holds exactly, as Prometheus keeps numbers.
constexpr std::uint64_t largest = std::uint64_t{1} << 53;

// Nothing, and errno, if it cannot be read.
std::optional<Page> read_page(const std::string& path) {
    // The role may have put anything there.
    const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) return std::nullopt;
    Page page{};
    errno = EINVAL;
    if (!S_ISREG(info.st_mode) ||
        ::pread(fd.get(), page.data(), page_size, 0) != static_cast<ssize_t>(page_size))
        return std::nullopt;
    std::replace_if(
        page.begin(), page.end(), [](std::uint64_t number) { return number > largest; }, 0);
    return page;
}

}  // namespace

std::vector<control::Role> counting_roles() {
    std::vector<control::Role> roles;
    for (const Metric& metric : table)
        if (std::find(roles.begin(), roles.end(), metric.role) == roles.end()) roles.push_back(metric.role);
    return roles;
}

std::string page_path(const control::Home& home, control::Role role) {
    return home.path("metrics/" + std::string(control::Owners::name(role)) + "/page");
}

Pages read_pages(const control::Home& home, std::vector<std::string>* wrong) {
    Pages pages;
    for (const control::Role role : counting_roles()) {
        const std::string path = page_path(home, role);
        if (const auto page = read_page(path))
            pages.emplace(role, *page);
        else if (wrong != nullptr && errno != ENOENT)
            wrong->push_back("unable to read " + path + ": " + errno_text(errno));
    }
    return pages;
}

}  // namespace relais::metrics
