#include "base/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "base/error.h"
#include "base/fd.h"

namespace relais {
namespace {

// <linux/landlock.h> of Debian 12 ends with version 2; these are the kernel's numbers.
constexpr std::uint64_t access_truncate = 1ULL << 14;
constexpr std::uint64_t access_ioctl_device = 1ULL << 15;
constexpr std::uint64_t access_bind_tcp = 1ULL << 0;
constexpr std::uint64_t access_connect_tcp = 1ULL << 1;
constexpr std::uint64_t scope_abstract_sockets = 1ULL << 0;
constexpr std::uint64_t scope_signals = 1ULL << 1;
constexpr int rule_of_port = 2;

struct RulesetAttributes {
    std::uint64_t files = 0;
    std::uint64_t network = 0;
    std::uint64_t scoped = 0;
};
struct PortAttributes {
    std::uint64_t allowed;
    std::uint64_t port;
};

constexpr std::uint64_t read_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t write_access =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
// Allowed to nobody, but directories.
constexpr std::uint64_t other_access = LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                       LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                       LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                       LANDLOCK_ACCESS_FS_MAKE_SYM;
// What can be allowed on a file that is no directory.
constexpr std::uint64_t file_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_EXECUTE | access_truncate;

// What this version knows of files, and refuses where no rule allows it.
std::uint64_t known_file_access(int version) {
    std::uint64_t access = read_access | write_access | other_access | LANDLOCK_ACCESS_FS_EXECUTE;
    if (version >= 2) access |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3) access |= access_truncate;
    if (version >= 5) access |= access_ioctl_device;
    return access;
}

Fd make_ruleset(int version, const LandlockRules& rules) {
    RulesetAttributes attributes{.files = known_file_access(version)};
    if (version >= 4) attributes.network = access_bind_tcp | (rules.tcp ? 0 : access_connect_tcp);
    if (version >= 6) attributes.scoped = scope_abstract_sockets | (rules.signal_all ? 0 : scope_signals);
    // An older kernel takes no more of it than it knows.
    const std::size_t size = (version >= 6 ? 3 : version >= 4 ? 2 : 1) * sizeof(std::uint64_t);
    Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
    if (!ruleset) throw_errno("make", "a Landlock ruleset");
    return ruleset;
}

void allow_below(int ruleset, const std::string& path, std::uint64_t access) {
    const Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!fd) return;
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) throw_errno("examine", path);
    landlock_path_beneath_attr rule{};
    rule.allowed_access = S_ISDIR(status.st_mode) ? access : access & file_access;
    rule.parent_fd = fd.get();
    if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        throw_errno("restrict files to", path);
}

void allow_chosen_ports(int ruleset) {
    const PortAttributes rule{.allowed = access_bind_tcp, .port = 0};
    if (::syscall(SYS_landlock_add_rule, ruleset, rule_of_port, &rule, 0) != 0)
        throw_errno("restrict", "TCP ports");
}

}  // namespace

int landlock_version() {
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? static_cast<int>(version) : 0;
}

void restrict_by_landlock(const LandlockRules& rules) {
    const int version = landlock_version();
    if (version == 0 || (version < 2 && rules.must_move)) return;
    const Fd ruleset = make_ruleset(version, rules);
    const std::uint64_t known = known_file_access(version);
    const std::uint64_t read = read_access | (rules.execute ? LANDLOCK_ACCESS_FS_EXECUTE : 0);
    const std::uint64_t write = read | write_access | access_truncate |
                                (rules.move || rules.must_move ? LANDLOCK_ACCESS_FS_REFER : 0) |
                                (rules.make_directories ? LANDLOCK_ACCESS_FS_MAKE_DIR : 0);
    for (const std::string& path : rules.read_below) allow_below(ruleset.get(), path, read & known);
    for (const std::string& path : rules.write_below) allow_below(ruleset.get(), path, write & known);
    if (version >= 4 && rules.tcp) allow_chosen_ports(ruleset.get());
    if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) throw_errno("restrict", "file access");
}

}  // namespace relais
