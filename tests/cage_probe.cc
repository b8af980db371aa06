// Tries in the cage of each program what a program that was taken over would try (tests/cage_test.py).
//
//   cage_probe table                     the rows of control/cages.h, fields between tabs
//   cage_probe try HOME UID GID PLACE    every act in every cage, as the row's role (an account's row: UID and GID); PLACE is a
//                                        directory that all may write to, with a file "theirs" and a directory "own"
//
//   cage_probe without-landlock PROGRAM...   runs it as on a kernel that has none
//
// Prints row, act and what became of it: done, refused ERRNO, or killed. Must be root.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/program.h"
#include "base/text.h"
#include "control/cages.h"
#include "control/owners.h"

namespace {

using namespace relais;

struct Place {
    std::string directory;
    pid_t other;    // a process of the row's user that is in no cage
    int listening;  // a unix socket, abstract
    std::string abstract;
};

struct Act {
    const char* name;
    std::function<bool(const Place&)> succeeds;
};

bool makes_socket(int family, int type) {
    return Fd(::socket(family, type, 0)).get() >= 0;
}

sockaddr_in loopback(unsigned port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool binds(unsigned port) {
    const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in address = loopback(port);
    return fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool connects_to_abstract(const std::string& name) {
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    return fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0;
}

bool forks(long flags) {
    const long child = ::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) ::_exit(0);
    return child > 0;
}

bool opens(const std::string& path, int flags) {
    return Fd(::open(path.c_str(), flags | O_CLOEXEC, 0600)).get() >= 0;
}

bool runs_true() {
    char name[] = "true";
    char* arguments[] = {name, nullptr};
    return ::execve("/bin/true", arguments, nullptr) == 0;
}

bool maps_executable() {
    return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}

bool limits(pid_t process) {
    const rlimit limit{16, 16};
    return ::prlimit(process, RLIMIT_NOFILE, &limit, nullptr) == 0;
}

// Calls that no row promises, with arguments that the kernel would otherwise look at.
Act call(const char* name, long number) {
    return {name,
            [number](const Place&) { return ::syscall(number, 0, 0, 0, 0, 0, 0) >= 0 || errno != ENOSYS; }};
}

const std::vector<Act> acts = {
    {"kill", [](const Place& at) { return ::kill(at.other, SIGTERM) == 0; }},
    {"tgkill", [](const Place& at) { return ::syscall(SYS_tgkill, at.other, at.other, SIGTERM) == 0; }},
    {"F_SETOWN", [](const Place& at) { return ::fcntl(0, F_SETOWN, at.other) == 0; }},
    {"F_SETSIG", [](const Place&) { return ::fcntl(0, F_SETSIG, SIGKILL) == 0; }},
    {"FIOSETOWN",
     [](const Place& at) {
         int pid = at.other;
         return ::ioctl(0, FIOSETOWN, &pid) == 0;
     }},
    {"TIOCSTI",
     [](const Place&) {
         char c = 'x';
         return ::ioctl(0, TIOCSTI, &c) == 0;
     }},
    {"prlimit", [](const Place& at) { return limits(at.other); }},
    {"ptrace", [](const Place& at) { return ::ptrace(PTRACE_SEIZE, at.other, nullptr, nullptr) == 0; }},
    call("process_vm_readv", SYS_process_vm_readv),
    {"namespace", [](const Place&) { return forks(CLONE_NEWUSER); }},
    {"clone3", [](const Place&) { return ::syscall(SYS_clone3, nullptr, 0) >= 0 || errno != ENOSYS; }},
    {"unshare", [](const Place&) { return ::unshare(CLONE_NEWUSER) == 0; }},
    {"fork", [](const Place&) { return forks(0); }},
    {"exec", [](const Place&) { return runs_true(); }},
    {"executable memory", [](const Place&) { return maps_executable(); }},
    {"memfd", [](const Place&) { return ::memfd_create("x", 0) >= 0; }},
    {"PR_SET_PTRACER", [](const Place&) { return ::prctl(PR_SET_PTRACER, -1, 0, 0, 0) == 0; }},
    {"setuid", [](const Place&) { return ::setresuid(4321, 4321, 4321) == 0; }},
    call("io_uring", SYS_io_uring_setup),
    call("bpf", SYS_bpf),
    call("pidfd_send_signal", SYS_pidfd_send_signal),
    call("keyctl", SYS_keyctl),
    {"unix socket", [](const Place&) { return makes_socket(AF_UNIX, SOCK_STREAM); }},
    {"abstract socket", [](const Place& at) { return connects_to_abstract(at.abstract); }},
    {"inet socket", [](const Place&) { return makes_socket(AF_INET, SOCK_DGRAM); }},
    {"packet socket", [](const Place&) { return makes_socket(AF_PACKET, SOCK_RAW); }},
    {"listening port", [](const Place&) { return binds(2999); }},
    {"socket pair",
     [](const Place&) {
         int ends[2];
         return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
     }},
    {"accept",
     [](const Place& at) {
         return ::accept4(at.listening, nullptr, nullptr, SOCK_NONBLOCK) >= 0 || errno == EAGAIN;
     }},
    {"read a file", [](const Place& at) { return opens(at.directory + "/theirs", O_RDONLY); }},
    {"read /etc/passwd", [](const Place&) { return opens("/etc/passwd", O_RDONLY); }},
    {"list /proc", [](const Place&) { return opens("/proc", O_RDONLY | O_DIRECTORY); }},
    {"write a file", [](const Place& at) { return opens(at.directory + "/theirs", O_WRONLY); }},
    {"make a file", [](const Place& at) { return opens(at.directory + "/made", O_WRONLY | O_CREAT); }},
    {"write own", [](const Place& at) { return opens(at.directory + "/own/made", O_WRONLY | O_CREAT); }},
    {"truncate", [](const Place& at) { return ::truncate((at.directory + "/theirs").c_str(), 0) == 0; }},
    {"link", [](const Place& at) { return ::symlink("/etc", (at.directory + "/own/link").c_str()) == 0; }},
    {"directory", [](const Place& at) { return ::mkdir((at.directory + "/own/new").c_str(), 0700) == 0; }},
    {"move a directory",
     [](const Place& at) {
         return ::rename((at.directory + "/own/old").c_str(), (at.directory + "/own/moved").c_str()) == 0;
     }},
    {"chmod", [](const Place& at) { return ::chmod((at.directory + "/own").c_str(), 0777) == 0; }},
};

[[noreturn]] void act(const control::Cage& cage, const control::Home& home, control::Owner account,
                      const Act& what, Place place) {
    try {
        if (cage.role == "account") {
            drop_privilege(account.uid, account.gid);
        } else if (cage.role != "root") {
            const auto owners = control::Owners::read(home);
            control::become(owners, *control::Owners::find(cage.role));
        }
        // One of the same user, and of the same parent.
        // It ends with this one by the pipe: a signal at its parent's death would come from within the cage.
        Pipe life = make_pipe();
        place.other = ::fork();
        if (place.other == 0) {
            life.write.reset();
            char none = 0;
            while (::read(life.read.get(), &none, 1) != 0) continue;
            ::_exit(0);
        }
        control::enter(cage, home, {place.directory + "/own"});
        errno = 0;
        ::_exit(what.succeeds(place) ? 0 : errno == 0 ? 250 : errno);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(251);
}

std::string outcome(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) work();
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? "killed" : "signal " + std::to_string(WTERMSIG(status));
    if (WEXITSTATUS(status) == 0) return "done";
    return "refused " + std::string(::strerrorname_np(WEXITSTATUS(status)) != nullptr
                                        ? ::strerrorname_np(WEXITSTATUS(status))
                                        : "?");
}

int try_all(const control::Home& home, control::Owner account, const std::string& directory) {
    Place place{directory, 0, -1, "relais-cage-" + std::to_string(::getpid())};
    const Fd listening(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, place.abstract.data(), place.abstract.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + place.abstract.size());
    if (::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::listen(listening.get(), 1000) != 0)
        throw_errno("listen on", place.abstract);
    set_nonblocking(listening.get(), true);
    place.listening = listening.get();
    for (const control::Cage& cage : control::cages())
        for (const Act& each : acts)
            std::printf("%s\t%s\t%s\n", std::string(cage.program).c_str(), each.name,
                        outcome([&] { act(cage, home, account, each, place); }).c_str());
    return 0;
}

// As on a kernel that does not have it.
int run_without_landlock(const Arguments& arguments) {
    sock_filter program[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_landlock_create_ruleset},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog filter{4, program};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) throw_errno("load", "the filter");
    std::vector<char*> words;
    for (std::size_t i = 1; i < arguments.size(); ++i)
        words.push_back(const_cast<char*>(arguments[i].c_str()));
    words.push_back(nullptr);
    ::execv(words[0], words.data());
    throw_errno("run", arguments[1]);
}

int work(const Arguments& arguments) {
    if (arguments == Arguments{"table"}) {
        for (const control::Cage& cage : control::cages())
            std::printf("%s\t%s\t%s\t%s\t%s\n", std::string(cage.program).c_str(),
                        std::string(cage.role).c_str(), std::string(cage.promises).c_str(),
                        std::string(cage.reads).c_str(), std::string(cage.writes).c_str());
        return 0;
    }
    if (arguments.size() > 1 && arguments[0] == "without-landlock") return run_without_landlock(arguments);
    if (arguments.size() != 5 || arguments[0] != "try")
        throw_permanent("usage: cage_probe table, or try HOME UID GID PLACE");
    const control::Owner account{static_cast<uid_t>(parse_number(arguments[2]).value_or(0)),
                                 static_cast<gid_t>(parse_number(arguments[3]).value_or(0))};
    return try_all(control::Home(arguments[1]), account, arguments[4]);
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("cage_probe", argc, argv, work);
}
