#include "control/home.h"

#include <unistd.h>

#include <climits>

#include "base/error.h"

namespace relais::control {

std::string Home::program(std::string_view name) const {
    const std::string installed = path("bin/" + std::string(name));
    if (::access(installed.c_str(), X_OK) == 0) return installed;
    const int error_number = errno;
    char self[PATH_MAX];
    const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
    const std::string_view own(self, size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::string neighbour = std::string(own.substr(0, own.rfind('/') + 1)).append(name);
    if (::access(neighbour.c_str(), X_OK) != 0) throw_errno("find", installed, error_number);
    return neighbour;
}

}  // namespace relais::control
