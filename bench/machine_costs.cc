// machine_costs DIRECTORY: what this machine takes for what a mail server does. Prints "NAME VALUE" lines
// in microseconds, medians: fork and end of a small process, the same with exec, a page fault, a round trip
// over loopback, a durable file (5,000 octets, the file and its directory synced) in DIRECTORY.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/program.h"

namespace {

using namespace relais;

double median_of(int rounds, const std::function<void()>& work) {
    std::vector<double> taken;
    for (int i = 0; i < rounds; ++i) {
        const auto begin = Clock::now();
        work();
        taken.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
    std::nth_element(taken.begin(), taken.begin() + rounds / 2, taken.end());
    return taken[static_cast<std::size_t>(rounds) / 2];
}

void wait_for(pid_t child) {
    if (child < 0) throw_errno("fork", "a child");
    ::waitpid(child, nullptr, 0);
}

void fork_and_end() {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    wait_for(child);
}

void fork_and_execute() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl("/proc/self/exe", "machine_costs", "--end", nullptr);
        ::_exit(1);
    }
    wait_for(child);
}

double page_fault() {
    constexpr std::size_t page = 4096, count = 4096;
    return median_of(20,
                     [] {
                         void* const memory = ::mmap(nullptr, page * count, PROT_READ | PROT_WRITE,
                                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                         if (memory == MAP_FAILED) throw_errno("map", "memory");
                         ::madvise(memory, page * count, MADV_NOHUGEPAGE);
                         for (std::size_t i = 0; i < count; ++i)
                             static_cast<volatile char*>(memory)[i * page] = 1;
                         ::munmap(memory, page * count);
                     }) /
           count;
}

// To a process that sends each octet back.
double round_trip() {
    const Fd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listening.get(), generic, size) != 0 || ::listen(listening.get(), 1) != 0 ||
        ::getsockname(listening.get(), generic, &size) != 0)
        throw_errno("listen on", "loopback");
    const auto without_delay = [](const Fd& fd) {
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    };
    const pid_t child = ::fork();
    if (child == 0) {
        const Fd peer(::accept(listening.get(), nullptr, nullptr));
        without_delay(peer);
        char octet = 0;
        while (::read(peer.get(), &octet, 1) == 1 && ::write(peer.get(), &octet, 1) == 1) continue;
        ::_exit(0);
    }
    double taken = 0;
    {
        const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(fd.get(), generic, size) != 0) throw_errno("connect to", "loopback");
        without_delay(fd);
        taken = median_of(2000, [&] {
            char octet = 'x';
            if (::write(fd.get(), &octet, 1) != 1 || ::read(fd.get(), &octet, 1) != 1)
                throw_errno("speak over", "loopback");
        });
    }
    wait_for(child);
    return taken;
}

double durable_file(const std::string& directory) {
    const Fd folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) throw_errno("open", directory);
    const std::string content(5000, 'x');
    int number = 0;
    return median_of(200, [&] {
        const std::string name = "cost." + std::to_string(number++);
        const Fd file(::openat(folder.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!file || ::write(file.get(), content.data(), content.size()) != 5000 ||
            ::fsync(file.get()) != 0 || ::fsync(folder.get()) != 0)
            throw_errno("write", directory + "/" + name);
        ::unlinkat(folder.get(), name.c_str(), 0);
    });
}

int run(const Arguments& arguments) {
    if (arguments.size() == 1 && arguments[0] == "--end") return 0;
    if (arguments.size() != 1) throw_permanent("usage: machine_costs DIRECTORY");
    std::printf("fork %.0f\n", median_of(300, fork_and_end));
    std::printf("exec %.0f\n", median_of(300, fork_and_execute));
    std::printf("fault %.2f\n", page_fault());
    std::printf("round_trip %.1f\n", round_trip());
    std::printf("durable %.0f\n", durable_file(arguments[0]));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return run_program("machine_costs", argc, argv, run);
}
