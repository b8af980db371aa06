#include "control/home.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <climits>

#include "base/error.h"
#include "base/program.h"

namespace relais::control {
namespace {

constexpr int links_followed = 8;

// Empty if the path is no link.
std::string target_of(const std::string& path) {
    char target[PATH_MAX];
    const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
    if (size <= 0) return "";
    const std::string text(target, static_cast<std::size_t>(size));
    return text.starts_with('/') ? text : path.substr(0, path.rfind('/') + 1) + text;
}

// "/var/qmail" of "/var/qmail/bin/sendmail"; empty for a path of another form.
std::string above_bin(const std::string& program) {
    const std::string directory = program.substr(0, program.rfind('/'));
    return directory.ends_with("/bin") ? directory.substr(0, directory.size() - 4) : "";
}

// From the root, where the program was called by a path that does not begin there.
std::string absolute(std::string path) {
    while (path.starts_with("./")) path.erase(0, 2);
    char here[PATH_MAX];
    if (path.empty() || path.starts_with('/') || ::getcwd(here, sizeof here) == nullptr) return path;
    return std::string(here) + "/" + path;
}

}  // namespace

Home Home::from_environment() {
    const std::string named = environment("QMAILHOME", "");
    if (!named.empty()) return Home(named);
    // The kernel's word for what was executed.
    const auto* called = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    return Home(of_program(called == nullptr ? "" : called).value_or("/var/qmail"));
}

std::optional<std::string> Home::of_program(const std::string& path) {
    std::string program = absolute(path);
    for (int links = 0; links < links_followed && !program.empty(); ++links) {
        const std::string directory = above_bin(program);
        if (!directory.empty() && ::access((directory + "/control/owners").c_str(), F_OK) == 0)
            return directory;
        program = target_of(program);
    }
    return std::nullopt;
}

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
